package git

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Service is one of the two programs that Git's protocols consist of (gitprotocol-http(5)).
type Service string

// The services.
const (
	UploadPack  Service = "git-upload-pack"  // fetch and clone
	ReceivePack Service = "git-receive-pack" // push
)

// Request is a request of Git's smart HTTP protocol, once the caller has been identified.
type Request struct {
	Project   anchor.Project
	Service   Service
	Advertise bool    // GET info/refs, not POST
	Receive   Receive // decides on a push
}

// ParseRequest returns what a client asks of a repository: path is what follows the repository's
// name. ok is false for what is not a request of the smart HTTP protocol.
func ParseRequest(r *http.Request, path string) (req Request, ok bool) {
	switch {
	case path == "/info/refs" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		req = Request{Service: Service(r.URL.Query().Get("service")), Advertise: true}
	case r.Method == http.MethodPost:
		req = Request{Service: Service(strings.TrimPrefix(path, "/"))}
	}
	return req, req.Service == UploadPack || req.Service == ReceivePack
}

// Serve answers req. An error means that nothing has been written.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, req Request) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return (&anchor.Error{Kind: anchor.KindBusy, Code: "git_busy", Message: "the server handles too many Git requests"}).
			Hintf("Try again in a minute.")
	}
	if _, err := Version(r.Context()); err != nil {
		return err
	}
	repository := s.Of(req.Project.ID)
	switch {
	case req.Service == ReceivePack:
		if err := repository.Create(r.Context(), req.Project.ProductionBranch); err != nil {
			return err
		}
	case !repository.Exists():
		return anchor.NotFound("nothing_pushed", "nothing has been pushed to project %s", req.Project.Slug).
			Hintf("Push a branch first: git push anchor %s", req.Project.ProductionBranch)
	}
	if req.Advertise {
		return repository.advertise(w, r, req.Service)
	}
	return repository.exchange(w, r, req)
}

// advertise answers GET info/refs: what the repository has.
func (r *Repository) advertise(w http.ResponseWriter, in *http.Request, service Service) error {
	args := append(r.settings(service), program(service), "--stateless-rpc", "--advertise-refs", r.dir)
	refs, err := output(in.Context(), "", args...)
	if err != nil {
		return err
	}
	announce := "# service=" + string(service) + "\n"
	w.Header().Set("Content-Type", "application/x-"+string(service)+"-advertisement")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprintf(w, "%04x%s0000", len(announce)+4, announce)
	_, _ = w.Write(refs) // the client may be gone
	return nil
}

func program(service Service) string { return strings.TrimPrefix(string(service), "git-") }

// settings returns the options of git for a service. Objects are checked when they arrive
// (git-fsck(1)): names such as .git or .., and submodules whose URL is an option, are refused.
func (r *Repository) settings(service Service) []string {
	var args []string
	list := []string{"uploadpack.allowAnySHA1InWant=false"}
	if service == ReceivePack {
		list = []string{
			"core.hooksPath=" + r.store.hooks(), "receive.fsckObjects=true", "transfer.fsckObjects=true",
			fmt.Sprint("receive.maxInputSize=", r.store.PackBytes), "receive.unpackLimit=1", "transfer.unpackLimit=1",
			"receive.advertisePushOptions=true", "receive.denyNonFastForwards=false", "receive.denyDeletes=false",
			"receive.denyDeleteCurrent=ignore", "receive.certNonceSeed=",
		}
	}
	for _, setting := range list {
		args = append(args, "-c", setting)
	}
	return args
}

// exchange answers the POST of a service.
func (r *Repository) exchange(w http.ResponseWriter, in *http.Request, req Request) error {
	if kind := in.Header.Get("Content-Type"); kind != "application/x-"+string(req.Service)+"-request" {
		return anchor.Invalid("bad_content_type", "the request has the content type %q", kind).
			Hintf("Use Git to talk to this URL.")
	}
	ctx, cancel := context.WithCancel(in.Context())
	defer cancel()
	body, err := openBody(w, in)
	if err != nil {
		return err
	}
	cmd := command(ctx, "", append(r.settings(req.Service), program(req.Service), "--stateless-rpc", r.dir)...)
	cmd.Stdin = body
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open a pipe to git: %w", err)
	}
	var h *hook
	if req.Service == ReceivePack {
		if h, err = openHook(r, req.Receive); err != nil {
			return err
		}
		cmd.ExtraFiles = h.theirs
	}
	err = cmd.Start()
	if h != nil {
		h.closeTheirs()
		go h.run(ctx)
	}
	if err != nil {
		if h != nil {
			<-h.decided // at once: no process holds the other ends
		}
		return fmt.Errorf("start git: %w", err)
	}
	w.Header().Set("Content-Type", "application/x-"+string(req.Service)+"-result")
	w.Header().Set("Cache-Control", "no-cache")
	if err := copyAtOnce(w, out); err != nil {
		cancel() // the client is gone: nobody waits for the build
	}
	_ = cmd.Wait() // what went wrong is in git's answer
	if h != nil {
		cancel()
		<-h.decided
	}
	return nil
}

// copyAtOnce copies an answer and sends each part when it comes.
func copyAtOnce(w http.ResponseWriter, from io.Reader) error {
	control := http.NewResponseController(w)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			if err := control.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// How long a client may send nothing of its request's body, and how long it may take for all of it.
const (
	stall   = time.Minute
	longest = 30 * time.Minute
)

// body is a request's body. A read that lasts longer than stall fails, and so does one after until.
type body struct {
	from    io.Reader
	control *http.ResponseController
	until   time.Time
}

func openBody(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // git answers while it reads; HTTP/2 always can
	var from io.Reader = &body{r.Body, control, time.Now().Add(longest)}
	switch coding := r.Header.Get("Content-Encoding"); coding {
	case "", "identity":
		return from, nil
	case "gzip", "x-gzip": // git compresses what it asks of upload-pack
		zipped, err := gzip.NewReader(from)
		if err != nil {
			return nil, anchor.Invalid("bad_encoding", "the request's body is not gzip").Because(err).Hintf("Use Git to talk to this URL.")
		}
		return zipped, nil
	default:
		return nil, anchor.Invalid("bad_encoding", "the request has the content encoding %q", coding).Hintf("Use Git to talk to this URL.")
	}
}

// Read implements io.Reader. At the end of the body the deadline has to go: net/http waits on the
// connection for the client's leaving, and takes a deadline for that.
func (b *body) Read(p []byte) (int, error) {
	deadline := time.Now().Add(stall)
	if deadline.After(b.until) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline) // HTTP/2 in tests has none
	n, err := b.from.Read(p)
	if err != nil {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
