// Package forge speaks the protocols of the hosts of Git repositories: it checks and reads what they
// deliver, and writes states and comments back through their published client libraries.
package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Kind sorts events by what Anchor does about them.
type Kind string

// The kinds of Event.
const (
	Push     Kind = "push"
	Pull     Kind = "pull"
	Approval Kind = "approval" // of a fork's commit; comes from Anchor's own API
	Other    Kind = "other"
)

// Event is one change that a delivery reports.
type Event struct {
	Kind       Kind   `json:"kind"`
	Name       string `json:"name"`       // as the host calls it, for users
	Repository string `json:"repository"` // acme/shop; "" when the delivery does not say
	Branch     string `json:"branch,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Deleted    bool   `json:"deleted,omitempty"` // the branch

	Number    int64  `json:"number,omitempty"` // of the pull request
	Title     string `json:"title,omitempty"`
	Fork      bool   `json:"fork,omitempty"`
	Closed    bool   `json:"closed,omitempty"`
	UpdatedAt int64  `json:"updatedAt,omitempty"` // Unix milliseconds
}

// State is how far a deployment is.
type State string

// The states.
const (
	Waiting  State = "waiting"
	Building State = "building"
	Success  State = "success"
	Failure  State = "failure"
	Canceled State = "canceled"
	Inactive State = "inactive" // the preview is removed
)

// Report is the state of a deployment, for the host.
type Report struct {
	Commit      string
	Branch      string
	Context     string // names the status among those of the commit
	State       State
	Description string // at most 140 characters are shown
	URL         string // of the deployment; "" before it has one
	Environment string
	Production  bool
}

// Setup is what a host needs to know of Anchor.
type Setup struct {
	URL    string // of the webhook
	Secret string
	Title  string // of the deploy key
	Key    string // its public half
}

// API writes to a host. Its errors are *anchor.Error; those that may pass are Temporary.
type API interface {
	// SetStatus sets the status of a commit.
	SetStatus(ctx context.Context, r Report) error
	// SetDeployment sets the state of the deployment with id, and creates one when id is "". It
	// returns "" where the host has no deployments.
	SetDeployment(ctx context.Context, id string, r Report) (string, error)
	// RemoveEnvironment removes an environment whose deployments are inactive. A host without environments, one that
	// has it no more, and a token that may not are no error.
	RemoveEnvironment(ctx context.Context, name string) error
	// Comment writes the only comment of a pull request that contains marker. id is the comment's
	// when it is known.
	Comment(ctx context.Context, pull int64, id, marker, text string) (string, error)
	// SetUp creates the webhook and the deploy key. Existing ones of the same URL or key are kept.
	SetUp(ctx context.Context, s Setup) error
	// CloneToken returns user and password for a clone over HTTPS.
	CloneToken(ctx context.Context) (user, password string, err error)
}

// Access is how to reach a host's API as whom.
type Access struct {
	Host    anchor.Host
	APIURL  string // "": that of the public service
	Name    string // of the repository: acme/shop
	Token   string
	AppID   int64 // GitHub App, in place of Token
	Install int64
	AppKey  string // PEM
	HTTP    *http.Client
}

// Open returns the API of a host.
func Open(a Access) (API, error) {
	switch a.Host {
	case anchor.GitHub:
		return openGitHub(a)
	case anchor.GitLab:
		return openGitLab(a)
	case anchor.Gitea:
		return openGitea(a)
	case anchor.Bitbucket:
		return openBitbucket(a), nil
	}
	return nil, anchor.Invalid("no_host_api", "%s has no API that Anchor can write to", a.Host).
		Hintf("Leave the token away, or connect github, gitlab, gitea or bitbucket.")
}

// NewClient returns the HTTP client of all hosts. Close its idle connections in the end.
func NewClient() *http.Client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost, base.IdleConnTimeout = 2, 30*time.Second
	return &http.Client{Timeout: 30 * time.Second, Transport: &transport{base}}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// transport makes errors of what may pass, so that all libraries report it in the same way.
type transport struct{ base *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, &temporary{err}
	}
	if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= 500 {
		answer.Body.Close()
		return nil, &temporary{fmt.Errorf("%s answered %s", r.URL.Host, answer.Status)}
	}
	answer.Body = &limitedBody{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

// CloseIdleConnections lets http.Client close them.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

type limitedBody struct {
	io.Reader
	io.Closer
}

type temporary struct{ err error }

func (t *temporary) Error() string { return t.err.Error() }
func (t *temporary) Unwrap() error { return t.err }

// Temporary reports whether the same call may succeed later.
func Temporary(err error) bool {
	t := (*temporary)(nil)
	return errors.As(err, &t)
}

// refused makes an error for users of what a host answered.
func refused(a Access, what string, err error) error {
	if err == nil {
		return nil
	}
	e := anchor.Failed("host_refused", "%s did not %s of %s", a.Host, what, a.Name).Because(err)
	if Temporary(err) {
		return e.Hintf("Anchor tries again a few times. Check that the server reaches %s.", a.Host)
	}
	return e.Hintf("Check the token and its permissions: anchor connect %s prints them.", a.Host)
}

// tolerated returns nil where the host has no such thing, or the token may not change it.
func tolerated(status int, err error) error {
	if status == http.StatusNotFound || status == http.StatusForbidden {
		return nil
	}
	return err
}

// splitName returns the owner and the name of acme/shop.
func splitName(name string) (owner, repository string) {
	owner, repository, _ = strings.Cut(name, "/")
	return owner, repository
}

// clip shortens a description to what all hosts take.
func clip(text string, most int) string {
	text, _, _ = strings.Cut(text, "\n")
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// rootOf returns scheme and host of a URL.
func rootOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Scheme + "://" + u.Host
}
