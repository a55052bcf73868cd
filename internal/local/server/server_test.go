package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/server"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childData) != "" {
		fmt.Fprintln(os.Stderr, runChild())
		os.Exit(1)
	}
	testleak.Main(m, goleak.IgnoreAnyFunction("github.com/anchor-deploy/anchor/internal/local/worker.spawnJobs"))
}

func config(t *testing.T, data string) server.Config {
	t.Helper()
	// The file in which the server announces itself to the CLI is below the home folder.
	t.Setenv("HOME", data)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(data, "config"))
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(data, "run"))
	t.Setenv("XDG_STATE_HOME", filepath.Join(data, "state"))
	return server.Config{
		Data: filepath.Join(data, "anchor"), Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Log: slog.New(slog.DiscardHandler),
	}
}

// up runs Anchor until the test ends or down is called.
func up(t *testing.T, c server.Config) (r server.Ready, down func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan server.Ready, 1), make(chan error, 1)
	c.Ready = func(r server.Ready) { ready <- r }
	go func() { ended <- server.Run(ctx, c) }()
	over := false
	down = func() {
		t.Helper()
		if over {
			return
		}
		over = true
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	t.Cleanup(down)
	select {
	case r = <-ready:
	case err := <-ended:
		over = true
		stop()
		t.Fatalf("it did not start: %v", err)
	}
	return r, down
}

func wantRefused(t *testing.T, c server.Config, kind anchor.Kind, code string) {
	t.Helper()
	c.Ready = func(server.Ready) { t.Error("it started") }
	err := server.Run(t.Context(), c)
	if anchor.KindOf(err) != kind || anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
		t.Errorf("refused with %v (%s, hint %q), want %s %s", err, anchor.CodeOf(err), anchor.HintOf(err), kind, code)
	}
}

func TestRun_RefusesSecondServer(t *testing.T) {
	c := config(t, t.TempDir())
	_, down := up(t, c)
	wantRefused(t, c, anchor.KindInvalid, "data_in_use")
	down()
	up(t, c) // the lock is released with its holder
}

func TestRun_NamesPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := config(t, t.TempDir())
	sites, api := c, c
	sites.Listen, api.API = taken.Addr().String(), taken.Addr().String()
	wantRefused(t, sites, anchor.KindInvalid, "port_taken")
	wantRefused(t, api, anchor.KindInvalid, "port_taken")
	c.Listen = "nowhere"
	wantRefused(t, c, anchor.KindInvalid, "bad_address")
}

func TestRun_NodeMissing(t *testing.T) {
	c := config(t, t.TempDir())
	c.Node = filepath.Join(t.TempDir(), "node")
	wantRefused(t, c, anchor.KindInvalid, "no_node")
	if _, err := os.Stat(c.Data); !os.IsNotExist(err) {
		t.Errorf("the data folder was made all the same: %v", err)
	}
}

func TestRun_RefusesDataThatIsNoFolder(t *testing.T) {
	c := config(t, t.TempDir())
	c.Data = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(c.Data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, c, anchor.KindInvalid, "bad_data")
}

func readToken(t *testing.T, r server.Ready) string {
	t.Helper()
	info, err := os.Stat(r.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file has the mode %v", info.Mode())
	}
	secret, err := os.ReadFile(r.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(secret))
}

// status asks the API for the data that `anchor status` shows.
func status(t *testing.T, r server.Ready, token string) (code int, body map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.APIURL+"/status", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s answers %q", req.URL, text)
	}
	return res.StatusCode, body
}

func TestRun_KeepsToken(t *testing.T) {
	c := config(t, t.TempDir())
	r, down := up(t, c)
	first := readToken(t, r)
	if code, body := status(t, r, first); code != http.StatusOK || body["platform"] != "local" {
		t.Errorf("with the token: %d %v", code, body)
	}
	if code, _ := status(t, r, "wrong"); code != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", code)
	}
	down()

	r, down = up(t, c)
	if again := readToken(t, r); again != first {
		t.Error("a restart made another token")
	}
	down()

	if err := os.Remove(r.TokenFile); err != nil {
		t.Fatal(err)
	}
	r, _ = up(t, c)
	fresh := readToken(t, r)
	if code, _ := status(t, r, fresh); fresh == first || code != http.StatusOK {
		t.Errorf("after the file was lost: the token is new %v, and the API answers %d", fresh != first, code)
	}
}
