// Package drains sends copies of log lines to servers that keep or search logs: by syslog, as JSON lines over HTTP, to Loki and by OTLP. A
// slow or broken target delays nothing: its lines wait in a bounded buffer, and what does not fit is dropped and counted.
package drains

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/otlp"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// MaxDrains is how many drains an installation has.
const MaxDrains = 50

// Records store the drains.
type Records interface {
	CreateDrain(ctx context.Context, d anchor.Drain, sealed []byte) error
	Drains(ctx context.Context, each func(d anchor.Drain, sealed []byte) error) error
	DeleteDrain(ctx context.Context, id string) error
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
}

// Box encrypts secrets for one place.
type Box interface {
	Seal(plain []byte, place ...string) []byte
	Open(sealed []byte, place ...string) ([]byte, error)
}

// Config holds the parts of a Service.
type Config struct {
	Records Records
	Box     Box
	Log     *slog.Logger

	// Access is called with the function that takes lines of the access log, and with nil while no drain wants them. It may be nil.
	Access func(take func(lines []byte))
	// Export, when it has a URL, gets what all apps print, as a drain that no record holds.
	Export otlp.Client
	// Buffer is how many bytes of lines wait for one target, 4 MiB when 0.
	Buffer int
	// Gather is how long lines are collected for one message, 1 s when 0.
	Gather time.Duration
	// Retries is the policy for a target that fails: without an end, up to a minute apart, when zero.
	Retries retry.Policy
}

// Service sends lines. It is safe for concurrent use.
type Service struct {
	Config
	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu      sync.Mutex // held by changes
	outlets atomic.Pointer[[]*outlet]
}

// Open starts what the records hold. A drain that cannot be opened is reported to the log; the server works without it.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Buffer == 0 {
		c.Buffer = 4 << 20
	}
	if c.Gather == 0 {
		c.Gather = time.Second
	}
	if c.Retries == (retry.Policy{}) {
		c.Retries = retry.Policy{First: time.Second, Longest: time.Minute}
	}
	s := &Service{Config: c}
	s.ctx, s.stop = context.WithCancel(context.Background())
	var all []*outlet
	err := c.Records.Drains(ctx, func(d anchor.Drain, sealed []byte) error {
		o, err := s.open(ctx, d, sealed)
		if err != nil {
			c.Log.Error("open a drain; remove it and add it again", "drain", d.ID, "target", d.Target, "error", err)
			return nil
		}
		all = append(all, o)
		return nil
	})
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("open the drains: %w", err)
	}
	if c.Export.URL != "" {
		all = append(all, s.newOutlet(anchor.Drain{Kind: "otlp", Sources: []string{"app"}}, "", &otlpSender{c.Export}))
	}
	s.publish(all)
	for _, o := range all {
		o.start(s.ctx)
	}
	return s, nil
}

// open makes the outlet of a stored drain.
func (s *Service) open(ctx context.Context, d anchor.Drain, sealed []byte) (*outlet, error) {
	plain, err := s.Box.Open(sealed, "drain", d.ID)
	if err != nil {
		return nil, fmt.Errorf("read the target of drain %s: %w", d.ID, err)
	}
	var t anchor.DrainTarget
	if err := json.Unmarshal(plain, &t); err != nil {
		return nil, fmt.Errorf("read the target of drain %s: %w", d.ID, err)
	}
	slug, err := s.slugOf(ctx, d.ProjectID)
	if err != nil {
		return nil, err
	}
	return s.newOutlet(d, slug, newSender(d.Kind, t)), nil
}

func (s *Service) slugOf(ctx context.Context, p anchor.ProjectID) (string, error) {
	if p == "" {
		return "", nil
	}
	project, err := s.Records.Project(ctx, p)
	return project.Slug, err
}

// publish makes all what lines go to. The caller holds mu, or is Open.
func (s *Service) publish(all []*outlet) {
	s.outlets.Store(&all)
	if s.Access == nil {
		return
	}
	if slices.ContainsFunc(all, func(o *outlet) bool { return slices.Contains(o.drain.Sources, "access") }) {
		s.Access(s.accessLines)
	} else {
		s.Access(nil)
	}
}

// Close tries once more to send what waits, for two seconds.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := *s.outlets.Load()
	s.publish(nil)
	s.stop()
	for _, o := range all {
		<-o.done
	}
	return nil
}

// Line takes a line that an app printed. It does not wait.
func (s *Service) Line(p anchor.ProjectID, l anchor.LogLine) {
	var text []byte
	for _, o := range *s.outlets.Load() {
		if !slices.Contains(o.drain.Sources, "app") || o.drain.ProjectID != "" && o.drain.ProjectID != p {
			continue
		}
		if text == nil {
			var err error
			if text, err = json.Marshal(l); err != nil {
				return // the log refuses it, too
			}
		}
		o.put(line{source: "app", project: p, text: text})
	}
}

// accessLines takes whole lines of the access log, which it copies. It does not wait.
func (s *Service) accessLines(lines []byte) {
	all := *s.outlets.Load()
	for text := range bytes.Lines(lines) {
		text = bytes.TrimSuffix(text, []byte{'\n'})
		var own []byte
		for _, o := range all {
			if !slices.Contains(o.drain.Sources, "access") || o.slug != "" && o.slug != projectIn(text) {
				continue
			}
			if own == nil {
				own = bytes.Clone(text)
			}
			o.put(line{source: "access", text: own})
		}
	}
}

// projectIn returns the project of a line of the access log, "" for none. Quotes in texts are escaped, so no text can look like the member.
func projectIn(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte(`,"project":"`))
	slug, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(slug)
}

// Add checks and stores a drain, and starts it.
func (s *Service) Add(ctx context.Context, d anchor.Drain, t anchor.DrainTarget) (anchor.Drain, error) {
	if err := prepare(&d, &t); err != nil {
		return d, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := *s.outlets.Load()
	if n := len(all); n >= MaxDrains {
		return d, anchor.Conflict("too_many_drains", "the server has %d drains, as many as it can have", n).Hintf("Remove one: anchor drains rm ID")
	}
	slug, err := s.slugOf(ctx, d.ProjectID)
	if err != nil {
		return d, err
	}
	d.ID, d.CreatedAt = anchor.NewID(), time.Now().UnixMilli()
	plain, err := json.Marshal(t)
	if err != nil {
		return d, err
	}
	if err := s.Records.CreateDrain(ctx, d, s.Box.Seal(plain, "drain", d.ID)); err != nil {
		return d, err
	}
	o := s.newOutlet(d, slug, newSender(d.Kind, t))
	s.publish(append(slices.Clip(all), o))
	o.start(s.ctx)
	return d, nil
}

// List returns the drains with what they did, the oldest first.
func (s *Service) List(ctx context.Context) ([]anchor.Drain, error) {
	running := map[string]*outlet{}
	for _, o := range *s.outlets.Load() {
		running[o.drain.ID] = o
	}
	all := []anchor.Drain{}
	err := s.Records.Drains(ctx, func(d anchor.Drain, _ []byte) error {
		if o := running[d.ID]; o != nil {
			d.DrainState = o.state()
		} else {
			d.LastError = "the stored target cannot be read; remove the drain and add it again"
		}
		all = append(all, d)
		return nil
	})
	return all, err
}

// Get returns one drain, anchor.ErrNotFound without it.
func (s *Service) Get(ctx context.Context, id string) (anchor.Drain, error) {
	all, err := s.List(ctx)
	if err != nil {
		return anchor.Drain{}, err
	}
	i := slices.IndexFunc(all, func(d anchor.Drain) bool { return d.ID == id })
	if i < 0 {
		return anchor.Drain{}, anchor.NotFound("unknown_drain", "there is no drain %q", id).Hintf("Run anchor drains ls for a list.")
	}
	return all[i], nil
}

// Remove removes a drain, anchor.ErrNotFound without it. Lines that wait are lost.
func (s *Service) Remove(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Records.DeleteDrain(ctx, id); err != nil {
		return err
	}
	s.drop(func(o *outlet) bool { return o.drain.ID == id })
	return nil
}

// Forget ends the drains of a project that is removed, whose records go with those of the project.
func (s *Service) Forget(p anchor.ProjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(func(o *outlet) bool { return o.drain.ProjectID == p })
}

func (s *Service) drop(gone func(*outlet) bool) {
	var kept, ended []*outlet
	for _, o := range *s.outlets.Load() {
		if gone(o) {
			ended = append(ended, o)
		} else {
			kept = append(kept, o)
		}
	}
	s.publish(kept)
	for _, o := range ended {
		o.end()
	}
}

// Test sends one line now, and returns what went wrong.
func (s *Service) Test(ctx context.Context, id string) error {
	d, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	var o *outlet
	err = s.Records.Drains(ctx, func(d anchor.Drain, sealed []byte) (err error) {
		if d.ID == id {
			o, err = s.open(ctx, d, sealed)
		}
		return err
	})
	if err == nil && o != nil {
		defer o.sender.close()
		err = o.sender.send(ctx, []event{notice("info", "Anchor can reach this drain")})
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return anchor.Failed("drain_not_reached", "the test line could not be sent to %s", d.Target).
			Hintf("%v. Check the URL and the headers, then add the drain again: anchor drains add --help", err).Because(err)
	}
	return err
}

// Counts returns the lines that the targets of all drains took, and those that were lost, since the start.
func (s *Service) Counts() (sent, dropped int64) {
	for _, o := range *s.outlets.Load() {
		st := o.state()
		sent, dropped = sent+st.Sent, dropped+st.Dropped
	}
	return sent, dropped
}
