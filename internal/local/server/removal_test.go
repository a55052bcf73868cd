package server_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// The environment of a child that runs a server on a data folder and kills itself before a step.
const (
	childData = "ANCHOR_TEST_CHILD_DATA"
	childStep = "ANCHOR_TEST_CHILD_STEP"
)

// runChild is the main function of the child. It prints the URL of its API once it serves.
func runChild() error {
	return server.Run(context.Background(), server.Config{
		Data: os.Getenv(childData), Listen: "127.0.0.1:0", API: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		Ready: func(r server.Ready) { fmt.Println(r.APIURL) },
		BeforeStep: func(step string) {
			if step == os.Getenv(childStep) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
}

// killBefore runs a server on the data folder, tells it to remove the project, and returns when it
// has killed itself before the step.
func (u used) killBefore(t *testing.T, step string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childData+"="+u.Data, childStep+"="+step)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child does not start: %v", child.Wait())
	}
	_, err = u.request(t, http.MethodDelete, lines.Text())
	if err == nil {
		t.Error("the server answers, although it was killed")
	}
	err = child.Wait()
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v", err)
	}
}

// request sends a request for the project to an API and returns the status of the answer.
func (u used) request(t *testing.T, method, api string) (status int, err error) {
	t.Helper()
	token, err := os.ReadFile(u.path("token"))
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, api+"/projects/"+string(u.project.ID), http.NoBody)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// newRemovable returns a used data folder whose project also has a domain and an unfinished upload.
func newRemovable(t *testing.T) used {
	t.Helper()
	u := newUsed(t)
	store := u.open(t)
	must(t, store.CreateHostname(t.Context(), anchor.Hostname{
		ID: anchor.HostnameID(anchor.NewID()), ProjectID: u.project.ID, Name: "shop.example.com", Status: anchor.HostPending,
	}))
	must(t, store.CreateDeployment(t.Context(), anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: u.project.ID, Status: anchor.Building, CreatedAt: time.Now().UnixMilli(),
	}))
	must(t, store.Close())
	return u
}

// wantRemoved asserts that neither the records nor the folders hold anything of the project.
func (u used) wantRemoved(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"platform/sites/*", "platform/lives/*", "artifacts/trees/*", "artifacts/manifests/*"} {
		if left, err := filepath.Glob(u.path(filepath.FromSlash(pattern))); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	store := u.open(t)
	defer store.Close()
	if h, err := store.HostnameByName(t.Context(), "shop.example.com"); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("the domain is still there: %+v, %v", h, err)
	}
	if all, err := store.Unfinished(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("unfinished: %v, %v", all, err)
	}
	must(t, store.CreateProject(t.Context(), anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: u.project.Slug}))
}

// TestRemoveProject_KilledBeforeEachStep ends the server with SIGKILL before each step of a removal.
// The next start accepts the folder and finishes the removal by itself, once the project is retired.
func TestRemoveProject_KilledBeforeEachStep(t *testing.T) {
	for _, step := range []string{"retire", "remove domains", "cancel deployments", "remove from platform", "delete records"} {
		t.Run(step, func(t *testing.T) {
			u := newRemovable(t)
			u.killBefore(t, step)
			r, down := up(t, u.Config)
			if step == "retire" { // nothing has happened yet
				status, err := u.request(t, http.MethodGet, r.APIURL)
				if err != nil || status != http.StatusOK {
					t.Fatalf("the project is answered %d, %v", status, err)
				}
				status, err = u.request(t, http.MethodDelete, r.APIURL)
				if err != nil || status != http.StatusNoContent {
					t.Fatalf("the second removal is answered %d, %v", status, err)
				}
			}
			u.awaitRemoval(t, r)
			down()
			u.wantRemoved(t)
			_, down = up(t, u.Config)
			down()
		})
	}
}

// awaitRemoval returns once the server does not know the project any more.
func (u used) awaitRemoval(t *testing.T, r server.Ready) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		status, err := u.request(t, http.MethodGet, r.APIURL)
		must(t, err)
		if status == http.StatusNotFound {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("the project is still answered %d", status)
		}
	}
}
