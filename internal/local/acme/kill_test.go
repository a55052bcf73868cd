package acme

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// serverEnv turns this test binary into a server that gets a certificate, on the listeners it
// inherits (3 and 4).
const serverEnv = "ANCHOR_TEST_SERVER"

type serverSpec struct{ Dir, CA, Root, Name string }

// serverMain prints "issued" once the name has its certificate, and serves until it is killed.
func serverMain(encoded string) {
	var spec serverSpec
	if err := json.Unmarshal([]byte(encoded), &spec); err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(spec.Root))
	m, err := New(Config{Dir: spec.Dir, CA: spec.CA, TrustedRoots: roots, FirstRetry: 50 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	e := edge.New(edge.Config{GetCertificate: m.GetCertificate, Wrap: m.HTTPChallenge})
	for fd, serve := range map[uintptr]func(net.Listener) error{3: e.Serve, 4: e.ServeTLS} {
		ln, err := net.FileListener(os.NewFile(fd, "listener"))
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(serve(ln)) }()
	}
	for {
		c, err := m.Ensure(context.Background(), named(spec.Name))
		if err != nil {
			log.Fatal(err)
		}
		if c.Status == anchor.CertIssued {
			fmt.Println("issued")
			select {}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// server runs serverMain in another process.
func (f *front) server(t *testing.T, spec serverSpec) (cmd *exec.Cmd, out io.Reader) {
	t.Helper()
	encoded, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+string(encoded))
	cmd.Stderr = os.Stderr
	for _, ln := range []net.Listener{f.plain, f.tls} {
		tcp, ok := ln.(*net.TCPListener)
		if !ok {
			t.Fatalf("%T", ln)
		}
		file, err := tcp.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, out
}

// kill -9 at each step of an order: the next process continues the order, and the CA sees only one.
func TestKill_DuringOrder(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"/authZ/", "/chalZ/", "/finalize-order/", "/certZ/"} {
		t.Run(strings.Trim(step, "/"), func(t *testing.T) {
			f := listenFront(t)
			defer f.plain.Close()
			defer f.tls.Close()
			p := startPebble(t, f.ports(t, 0))
			stopped, once := make(chan struct{}), sync.Once{}
			p.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, step) {
					return false
				}
				once.Do(func() { close(stopped) })
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return true
			})
			spec := serverSpec{
				Dir: t.TempDir(), CA: p.directory(), Name: "killed.example.com",
				Root: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})),
			}
			first, _ := f.server(t, spec)
			select {
			case <-stopped:
			case <-time.After(testPatience):
				t.Fatalf("the order does not get to %s", step)
			}
			if err := first.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			first.Wait()
			p.intercept(nil)

			_, out := f.server(t, spec)
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "issued\n" {
				t.Fatalf("the second process says %q, %v", line, err)
			}
			if n := p.Orders(); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
		})
	}
}
