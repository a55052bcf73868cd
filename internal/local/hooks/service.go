// Package hooks connects projects to repositories at other hosts: it stores what they deliver, brings
// the commits here, lets them be built, and reports to the host how that goes.
package hooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/keylock"
	"github.com/anchor-deploy/anchor/internal/local/builder"
	"github.com/anchor-deploy/anchor/internal/local/forge"
	"github.com/anchor-deploy/anchor/internal/local/git"
)

// Records store connections and what comes through them. Only a server on one machine has them.
type Records interface {
	// Project returns one project or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)

	PutConnection(ctx context.Context, p anchor.ProjectID, c anchor.Connection, sealed []byte) error
	// ChangeConnection changes a stored connection in one transaction, ErrNotFound without one.
	ChangeConnection(ctx context.Context, p anchor.ProjectID, change func(*anchor.Connection)) error
	// Connection returns a project's connection, ErrNotFound without one.
	Connection(ctx context.Context, p anchor.ProjectID) (c anchor.Connection, sealed []byte, err error)
	DeleteConnection(ctx context.Context, p anchor.ProjectID) error
	// Connected returns the projects that have a connection.
	Connected(ctx context.Context) ([]anchor.ProjectID, error)

	// AddDelivery stores a delivery to process; added is false when there is one of this id.
	AddDelivery(ctx context.Context, d anchor.Delivery) (added bool, err error)
	EndDelivery(ctx context.Context, seq int64, outcome string) error
	WaitingDeliveries(ctx context.Context) ([]anchor.Delivery, error)
	Deliveries(ctx context.Context, p anchor.ProjectID, limit int) ([]anchor.Delivery, error)

	PutPullRequest(ctx context.Context, p anchor.ProjectID, pull anchor.PullRequest) error
	PullRequests(ctx context.Context, p anchor.ProjectID) ([]anchor.PullRequest, error)
	PutReport(ctx context.Context, p anchor.ProjectID, r anchor.HostReport) error
	Reports(ctx context.Context, p anchor.ProjectID, open bool) ([]anchor.HostReport, error)
}

// Box encrypts secrets for one place.
type Box interface {
	Seal(plain []byte, place ...string) []byte
	Open(sealed []byte, place ...string) ([]byte, error)
}

// Config holds the parts of a Service.
type Config struct {
	Records      Records
	Box          Box
	Repositories *git.Store
	Builder      *builder.Builder
	Deploys      *deploy.Service
	URLs         func(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
	// BranchURL returns where the newest preview of a branch can be seen, "" when it has none.
	BranchURL func(p anchor.ProjectID, branch string) string
	Log       *slog.Logger
	Now       func() time.Time // time.Now when nil
}

// Service connects projects to hosts. Close ends it.
type Service struct {
	Config
	client *http.Client

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	running sync.WaitGroup

	reports keylock.Locks[anchor.DeploymentID] // held while a report is written
	pulls   keylock.Locks[anchor.ProjectID]    // held while a pull request's record is changed

	mu      sync.Mutex
	closed  bool
	busy    map[anchor.ProjectID]bool              // whose deliveries are processed now
	waiting map[anchor.ProjectID][]anchor.Delivery // oldest first
	follows map[anchor.DeploymentID]chan struct{}  // reporters, which a send makes look again
	slots   chan struct{}                          // of clones at a time
}

// clones is how many repositories are fetched at a time.
const clones = 4

// New returns a Service. Resume starts what an earlier process left.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Service{
		Config: c, client: forge.NewClient(), busy: map[anchor.ProjectID]bool{},
		waiting: map[anchor.ProjectID][]anchor.Delivery{}, follows: map[anchor.DeploymentID]chan struct{}{},
		slots: make(chan struct{}, clones),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Resume processes the deliveries that were accepted and not processed, and continues to report.
func (s *Service) Resume(ctx context.Context) error {
	waiting, err := s.Records.WaitingDeliveries(ctx)
	if err != nil {
		return fmt.Errorf("resume deliveries: %w", err)
	}
	connected, err := s.Records.Connected(ctx)
	if err != nil {
		return fmt.Errorf("resume reports to hosts: %w", err)
	}
	for _, p := range connected {
		open, err := s.Records.Reports(ctx, p, true)
		if err != nil {
			return fmt.Errorf("resume reports to hosts: %w", err)
		}
		for _, r := range open {
			s.follow(p, r.Deployment)
			if err := s.repeatInterrupted(ctx, p, r); err != nil {
				s.Log.Warn("repeat a build that was interrupted", "deploymentId", r.Deployment, "error", err)
			}
		}
	}
	for _, d := range waiting {
		s.enqueue(d)
	}
	return nil
}

// repeatInterrupted builds once more what a host asked for and the end of the server interrupted: no
// client waits that could push again. A commit whose builds ended twice like this is left alone.
func (s *Service) repeatInterrupted(ctx context.Context, p anchor.ProjectID, r anchor.HostReport) error {
	newest, err := s.Builder.Records.Deployments(ctx, p, anchor.Page{Limit: anchor.MaxPage})
	if err != nil {
		return err
	}
	times := 0
	for _, d := range newest.Items {
		if d.Branch != r.Branch || d.IsRollback {
			continue
		}
		if times == 0 && d.ID != r.Deployment || d.CommitSha != r.Commit || !builder.Interrupted(d) {
			break
		}
		times++
	}
	if times != 1 {
		return nil
	}
	e := forge.Event{Kind: forge.Push, Name: "repeat", Branch: r.Branch, Commit: r.Commit}
	if strings.HasPrefix(r.Branch, forkBranch) {
		e = forge.Event{Kind: forge.Approval, Name: "repeat", Number: r.Pull, Branch: r.Branch}
	}
	content, err := json.Marshal([]forge.Event{e})
	if err != nil {
		return err
	}
	_, err = s.accept(ctx, anchor.Delivery{
		ProjectID: p, ID: "repeat-" + string(r.Deployment), Summary: "repeat " + r.Branch, Events: content, ReceivedAt: s.Now().UnixMilli(),
	})
	return err
}

// forkBranch begins the branch of the deployments of forks.
const forkBranch = "pull/"

// Close interrupts what runs and waits for it. What was accepted continues after the next Resume.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// enqueue processes a delivery after those of its project that came before.
func (s *Service) enqueue(d anchor.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.waiting[d.ProjectID] = append(s.waiting[d.ProjectID], d)
	if s.busy[d.ProjectID] {
		return
	}
	s.busy[d.ProjectID] = true
	s.running.Go(func() { s.work(d.ProjectID) })
}

// work processes a project's deliveries one at a time, in the order of their arrival.
func (s *Service) work(p anchor.ProjectID) {
	for {
		s.mu.Lock()
		left := s.waiting[p]
		if len(left) == 0 || s.closed {
			delete(s.busy, p)
			delete(s.waiting, p)
			s.mu.Unlock()
			return
		}
		d := left[0]
		s.waiting[p] = left[1:]
		s.mu.Unlock()
		s.processDelivery(d)
	}
}

// processDelivery does what a delivery asks for and records how that ended. After a stop of the server
// nothing is recorded: the next start repeats it.
func (s *Service) processDelivery(d anchor.Delivery) {
	outcome, err := s.process(s.ctx, d)
	if s.ctx.Err() != nil {
		return
	}
	if err != nil {
		outcome = "failed: " + withHint(err)
		s.Log.Warn("a delivery of a host failed", "projectId", d.ProjectID, "delivery", d.ID, "error", err)
	}
	err = s.Records.EndDelivery(context.WithoutCancel(s.ctx), d.Seq, outcome)
	if err != nil {
		s.Log.Error("record the outcome of a delivery; the next start repeats it", "delivery", d.ID, "error", err)
	}
}

func (s *Service) process(ctx context.Context, d anchor.Delivery) (outcome string, err error) {
	var events []forge.Event
	if err := json.Unmarshal(d.Events, &events); err != nil {
		return "", fmt.Errorf("read delivery %s: %w", d.ID, err)
	}
	l, err := s.open(ctx, d.ProjectID)
	if err != nil {
		return "", err
	}
	var failed error
	for _, e := range events {
		done, err := l.handle(ctx, e)
		failed = errors.Join(failed, err)
		if err == nil {
			if outcome != "" {
				outcome += "; "
			}
			outcome += done
		}
	}
	return outcome, failed
}

// link is a project with its connection, secrets and API, as long as something is done with them.
type link struct {
	*Service
	project    anchor.Project
	connection anchor.Connection
	secrets    anchor.ConnectionSecrets
	api        forge.API // nil without a token
}

// open reads what a project is connected to. NotFound without a connection.
func (s *Service) open(ctx context.Context, p anchor.ProjectID) (*link, error) {
	project, err := s.Records.Project(ctx, p)
	if err != nil {
		return nil, err
	}
	if project.Removing {
		return nil, anchor.Conflict("removing", "project %s is being removed", project.Slug).Hintf("Connect another project.")
	}
	l := &link{Service: s, project: project}
	var sealed []byte
	if l.connection, sealed, err = s.Records.Connection(ctx, p); err != nil {
		return nil, err
	}
	plain, err := s.Box.Open(sealed, "connection", string(p))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(plain, &l.secrets); err != nil {
		return nil, fmt.Errorf("read the secrets of the connection: %w", err)
	}
	if l.connection.HasToken {
		l.api, err = forge.Open(s.access(l.connection, l.secrets))
	}
	return l, err
}

func (s *Service) access(c anchor.Connection, secrets anchor.ConnectionSecrets) forge.Access {
	return forge.Access{
		Host: c.Host, APIURL: c.APIURL, Name: c.Name, Token: secrets.Token,
		AppID: c.AppID, Install: c.Install, AppKey: secrets.AppKey, HTTP: s.client,
	}
}

func withHint(err error) string {
	if hint := anchor.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}
