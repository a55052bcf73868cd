package awstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(Sharing(m)) }

// TestProcess_EndsWithTests kills a test process that runs a command, as an interrupted run
// does. It then waits until the command and everything that it started have ended.
func TestProcess_EndsWithTests(t *testing.T) {
	if os.Getenv("AWSTEST_RUN") != "" {
		if _, err := startCommand("", []string{"sh", "-c", `sleep 3600 & echo $$ $! > "$PIDS.new"; mv "$PIDS.new" "$PIDS"; wait`}, nil); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	pids := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcess_EndsWithTests$")
	tmp := t.TempDir()
	cmd.Env = append(os.Environ(), "AWSTEST_RUN=1", "PIDS="+pids, "TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var started []byte
	eventually(t, "the command has started", func() bool {
		var err error
		started, err = os.ReadFile(pids)
		return err == nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for _, field := range strings.Fields(string(started)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+field+" has ended", func() bool { return ended(pid) })
	}
}

// The end of a command is noticed, and its folder is removed.
func TestProcess_EarlyEndIsReported(t *testing.T) {
	p, err := startCommand("", []string{"sh", "-c", `echo last words; touch "$TMPDIR/file"; exit 3`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		t.Error("the end is not seen")
	}
	if err := p.endGroup(); err != nil {
		t.Error(err)
	}
	if got := p.log.lastOctets(100); p.cmd.ProcessState.ExitCode() != 3 || got != "last words\n" {
		t.Errorf("%v, %q", p.cmd.ProcessState, got)
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// The shared emulator contains nothing from earlier tests.
func TestShared_StartsEmpty(t *testing.T) {
	var endpoints []string
	for _, name := range []string{"one test", "the next"} {
		t.Run(name, func(t *testing.T) {
			c := Shared(t)
			endpoints = append(endpoints, c.Endpoint)
			client := s3.NewFromConfig(c.Config())
			if list, err := client.ListBuckets(t.Context(), nil); err != nil || len(list.Buckets) != 0 {
				t.Errorf("%v, %+v", err, list)
			}
			bucket, key := "a-name", "a-key" // names of buckets are unique among all accounts
			_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{
				LocationConstraint: Region,
			}})
			if err := Made(err); err != nil {
				t.Fatal(err)
			}
			if list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket}); err != nil || len(list.Contents) != 0 {
				t.Errorf("%v, %+v", err, list)
			}
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if len(endpoints) != 2 || endpoints[0] != endpoints[1] {
		t.Errorf("the emulators are %q", endpoints)
	}
}

// A golden test that meets a cut begins again within the same test.
func TestTheSharedEmulatorIsEmptyForEachUse(t *testing.T) {
	bucket := "a-name"
	var accounts []string
	for range 2 {
		c := Shared(t)
		accounts = append(accounts, c.Account)
		_, err := s3.NewFromConfig(c.Config()).CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: Region},
		})
		if err := Made(err); err != nil {
			t.Fatal(err)
		}
	}
	if accounts[0] == accounts[1] {
		t.Errorf("both uses have the account %s", accounts[0])
	}
}

// ended reports whether a process has ended, also when its parent has yet to notice.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(status), "State:\tZ")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
	}
}
