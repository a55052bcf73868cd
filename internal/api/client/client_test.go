package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/filepack"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestClient_ReturnsProblemAsError(t *testing.T) {
	c := newClient(t, nil)
	_, err := c.Project(t.Context(), "nowhere")
	var e *anchor.Error
	if !errors.As(err, &e) || e.Kind != anchor.KindNotFound || e.Code != "unknown_project" || e.Hint == "" {
		t.Errorf("Project = %#v", err)
	}
	if _, err := c.CreateProject(t.Context(), "Bad Slug", ""); !errors.Is(err, anchor.ErrInvalid) {
		t.Errorf("CreateProject = %v, want an Invalid error", err)
	}
}

func TestClient_ForeignServer(t *testing.T) {
	site := httptest.NewServer(http.NotFoundHandler())
	defer site.Close()
	_, err := client.New(site.URL, "").Projects(t.Context(), anchor.Page{})
	var e *anchor.Error
	if !errors.As(err, &e) || e.Code != "not_anchor" {
		t.Errorf("Projects = %v, want it to say that no Anchor answers", err)
	}
}

// API Gateway throttles with an answer that does not mention Anchor.
func TestClient_BusyServer(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		var calls atomic.Int64
		left := int64(2)
		c := newClient(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) > left {
					next.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"message":"Too Many Requests"}`)
			})
		})
		if _, err := c.Projects(t.Context(), anchor.Page{}); err != nil {
			t.Errorf("after two answers of %d: %v", status, err)
		}
		left = math.MaxInt64
		_, err := c.Projects(t.Context(), anchor.Page{})
		if anchor.KindOf(err) != anchor.KindBusy || anchor.CodeOf(err) != "busy" || !strings.Contains(anchor.HintOf(err), "again") {
			t.Errorf("Projects = %v (%s), want it to say that the server is busy", err, anchor.HintOf(err))
		}
	}
}

func TestClient_UnreachableServer(t *testing.T) {
	const url = "http://127.0.0.1:1" // a port that was free a moment ago may be another test's by now
	c := client.New(url, "")
	c.Pause = time.Millisecond
	_, err := c.Projects(t.Context(), anchor.Page{})
	var gone *client.Unreachable
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), url) {
		t.Errorf("Projects = %v, want Unreachable naming %s", err, url)
	}
}

func TestClient_RepeatsIdempotentCallsOnly(t *testing.T) {
	var calls atomic.Int64
	c := newClient(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch calls.Add(1) {
			case 1:
				panic(http.ErrAbortHandler) // the connection breaks
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	if _, err := c.Projects(t.Context(), anchor.Page{}); err != nil || calls.Load() != 3 {
		t.Errorf("a GET gave %v after %d calls, want success after 3", err, calls.Load())
	}
	calls.Store(1)
	if _, err := c.CreateProject(t.Context(), "shop", ""); anchor.KindOf(err) != anchor.KindBusy || calls.Load() != 2 {
		t.Errorf("a POST gave %v after %d calls, want the 503 after 1", err, calls.Load()-1)
	}
}

func TestClient_CallEndsWithContext(t *testing.T) {
	c := newClient(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Projects(ctx, anchor.Page{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Projects = %v, want Canceled", err)
	}
}

func TestUpload_ContinuesWhereItBroke(t *testing.T) {
	var packs, broken atomic.Int64
	c := newClient(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/files") {
				packs.Add(1)
			}
			if strings.Contains(r.URL.Path, "/files") && broken.Add(1) <= 9 {
				_, _ = io.CopyN(io.Discard, r.Body, 100)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	dir, manifest := tree(t, 1500)
	started := startShop(t, c, manifest)
	sent, err := c.Upload(t.Context(), "shop", started.Deployment.ID, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing})
	if err != nil {
		t.Fatal(err)
	}
	missing, err := c.Missing(t.Context(), "shop", started.Deployment.ID)
	if err != nil || len(missing) != 0 {
		t.Errorf("%d files are missing (%v)", len(missing), err)
	}
	if sent.Files != int64(len(manifest.Contents())) || sent.Bytes != manifest.Size() {
		t.Errorf("sent %+v of %d files, %d bytes", sent, len(manifest.Contents()), manifest.Size())
	}
	if packs.Load() > 20 {
		t.Errorf("1500 small files took %d requests", packs.Load())
	}
}

func TestUpload_StopsAtChangedFile(t *testing.T) {
	c := newClient(t, nil)
	dir, manifest := tree(t, 3)
	started := startShop(t, c, manifest)
	if err := os.WriteFile(filepath.Join(dir, "f0"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "f1")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Upload(t.Context(), "shop", started.Deployment.ID, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing})
	if err == nil {
		t.Fatal("the upload of files that changed succeeded")
	}
	var gone *client.Unreachable
	if errors.As(err, &gone) {
		t.Errorf("Upload = %v: it blames the server", err)
	}
}

// A link that replaces a listed file is not followed out of the build.
func TestUpload_ReadsNothingOutsideBuild(t *testing.T) {
	c := newClient(t, nil)
	dir, manifest := tree(t, 3)
	started := startShop(t, c, manifest)
	content, err := os.ReadFile(filepath.Join(dir, "f0"))
	if err != nil {
		t.Fatal(err)
	}
	// The content is the listed one, because an upload must not reveal whether it is.
	outside := filepath.Join(t.TempDir(), "outside")
	err = errors.Join(os.WriteFile(outside, content, 0o644), os.Remove(filepath.Join(dir, "f0")), os.Symlink(outside, filepath.Join(dir, "f0")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Upload(t.Context(), "shop", started.Deployment.ID, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing})
	if err == nil || !strings.Contains(err.Error(), "f0") {
		t.Errorf("Upload = %v, want an error that names f0", err)
	}
}

func TestWatch_ContinuesAfterCut(t *testing.T) {
	var streams atomic.Int64
	c := newClient(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") && streams.Add(1) <= 3 {
				w = &cutAfter{ResponseWriter: w, events: 2}
			}
			next.ServeHTTP(w, r)
		})
	})
	id := deployed(t, c)
	checkEvents(t, watch(t, c, id))
	if streams.Load() != 4 {
		t.Errorf("they came over %d streams, want 4", streams.Load())
	}
}

func watch(t *testing.T, c *client.Client, id anchor.DeploymentID) (events []anchor.Event) {
	t.Helper()
	for e, err := range c.Watch(t.Context(), "shop", id) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// checkEvents asserts that these are all events of a deployment that succeeded: numbered from
// 1, without duplicates, up to its end.
func checkEvents(t *testing.T, events []anchor.Event) {
	t.Helper()
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d came where %d was due", e.Seq, i+1)
		}
	}
	if len(events) == 0 || events[len(events)-1].Status != anchor.Deployed {
		t.Errorf("%d events came, the last of which does not say that the deployment ended well", len(events))
	}
}

// gone drops the connection of all requests for events from the second to the last'th.
func gone(last int64) func(http.Handler) http.Handler {
	var streams atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				switch n := streams.Add(1); {
				case n == 1:
					w = &cutAfter{ResponseWriter: w, events: 0}
				case n <= last:
					panic(http.ErrAbortHandler)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestWatch_ContinuesAfterServerRestart(t *testing.T) {
	c := newClient(t, gone(20))
	checkEvents(t, watch(t, c, deployed(t, c)))
}

func TestWatch_StopsWhenServerStaysAway(t *testing.T) {
	c := newClient(t, gone(math.MaxInt64))
	c.Restart = time.Millisecond
	id, err := deployed(t, c), error(nil)
	for _, err = range c.Watch(t.Context(), "shop", id) {
	}
	var away *client.Unreachable
	if !errors.As(err, &away) {
		t.Errorf("Watch = %v", err)
	}
}

func TestWatch_StopsWhenStreamStaysEmpty(t *testing.T) {
	c := newClient(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				w.Header().Set("Content-Type", "text/event-stream")
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	_, manifest := tree(t, 1)
	started := startShop(t, c, manifest)
	for _, err := range c.Watch(t.Context(), "shop", started.Deployment.ID) {
		if err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("Watch = %v", err)
		}
	}
}

// cutAfter breaks the connection after some events.
type cutAfter struct {
	http.ResponseWriter
	events int
}

func (c *cutAfter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("id:")) {
		if c.events--; c.events < 0 {
			panic(http.ErrAbortHandler)
		}
	}
	return c.ResponseWriter.Write(p)
}

func (c *cutAfter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func newClient(t *testing.T, wrap func(http.Handler) http.Handler) *client.Client {
	t.Helper()
	c := client.New(apitest.Serve(t, apitest.New(t, apitest.Options{}).Services(), api.Options{}, wrap), apitest.AdminToken)
	c.Pause = time.Millisecond
	return c
}

// deployed is a deployment of shop whose files have arrived.
func deployed(t *testing.T, c *client.Client) anchor.DeploymentID {
	t.Helper()
	dir, manifest := tree(t, 1)
	started := startShop(t, c, manifest)
	id := started.Deployment.ID
	if _, err := c.Upload(t.Context(), "shop", id, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(t.Context(), "shop", id); err != nil {
		t.Fatal(err)
	}
	return id
}

func startShop(t *testing.T, c *client.Client, m artifact.Manifest) wire.StartedDeployment {
	t.Helper()
	if _, err := c.CreateProject(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	started, err := c.Start(t.Context(), "shop", wire.StartDeployment{Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	return started
}

// tree writes an app with n more small files and one that is too large for a pack.
func tree(t *testing.T, n int) (string, artifact.Manifest) {
	t.Helper()
	dir := platformtest.NewApp("one").Write(t)
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), fmt.Appendf(nil, "file %d", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("x"), filepack.MaxFileSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := artifact.Scan(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// TestWatch_OverAnswersThatEnd watches as over API Gateway, where an answer arrives
// when it is whole: over many answers, without a gap and however long nothing comes.
func TestWatch_OverAnswersThatEnd(t *testing.T) {
	a := apitest.New(t, apitest.Options{})
	var answers atomic.Int64
	base := apitest.Serve(t, a.Services(), api.Options{WatchFor: 20 * time.Millisecond}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				answers.Add(1)
				w = &buffered{ResponseWriter: w}
				defer w.(*buffered).send()
			}
			next.ServeHTTP(w, r)
		})
	})
	c := client.New(base, apitest.AdminToken)
	c.Pause, c.Attempts = time.Millisecond, 2
	dir, manifest := tree(t, 1)
	started := startShop(t, c, manifest)
	id := started.Deployment.ID
	if _, err := c.Upload(t.Context(), "shop", id, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing}); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		events []anchor.Event
		err    error
	}
	done := make(chan seen, 1)
	go func() {
		var s seen
		for e, err := range c.Watch(t.Context(), "shop", id) {
			s.events, s.err = append(s.events, e), err
		}
		done <- s
	}()
	for answers.Load() < 5 { // more empty answers than there are attempts
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Finish(t.Context(), "shop", id); err != nil {
		t.Fatal(err)
	}
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	checkEvents(t, got.events)
}

// buffered sends an answer once it is whole.
type buffered struct {
	http.ResponseWriter
	body   bytes.Buffer
	status int
}

func (b *buffered) WriteHeader(status int)      { b.status = status }
func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }
func (b *buffered) Flush()                      {}
func (b *buffered) send() {
	b.ResponseWriter.WriteHeader(b.status)
	_, _ = b.ResponseWriter.Write(b.body.Bytes())
}

func TestStartBuild_RetriesWithItsKey(t *testing.T) {
	var calls atomic.Int64
	c := newClient(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/builds") && calls.Add(1) == 1 {
				next.ServeHTTP(httptest.NewRecorder(), r) // it takes effect and its answer is lost
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	if _, err := c.CreateProject(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	d, err := c.StartBuild(t.Context(), "shop", "key", wire.StartBuild{Repository: "https://git.example/shop"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Deployments(t.Context(), "shop", anchor.Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != d.ID {
		t.Errorf("there are %+v (%v), want %s only", list.Items, err, d.ID)
	}
}

// lost has the answers of the first n calls to paths that end in suffix get lost.
func lost(suffix string, n int64) func(http.Handler) http.Handler {
	var calls atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, suffix) && calls.Add(1) <= n {
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// A server that has answered once is waited for beyond Attempts, by calls that may be
// repeated; finishing an upload is one.
func TestClient_WaitsForServerRestart(t *testing.T) {
	for _, suffix := range []string{"/missing", "/finish"} {
		c := newClient(t, lost(suffix, 10))
		c.Pause = time.Millisecond
		dir, manifest := tree(t, 1)
		started := startShop(t, c, manifest)
		id := started.Deployment.ID
		if _, err := c.Upload(t.Context(), "shop", id, client.Upload{Dir: dir, Manifest: manifest, Missing: started.Missing}); err != nil {
			t.Fatal(err)
		}
		if missing, err := c.Missing(t.Context(), "shop", id); err != nil || len(missing) != 0 {
			t.Errorf("%s: Missing = %v, %v", suffix, missing, err)
		}
		if _, err := c.Finish(t.Context(), "shop", id); err != nil {
			t.Errorf("%s: Finish = %v", suffix, err)
		}
	}
}
