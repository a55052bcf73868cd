// Package alerts reports troubles to people: by webhook, in the form that Slack takes, and by e-mail. One trouble is reported once, and once more
// when it is over.
package alerts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// MaxChannels is how many channels an installation has.
const MaxChannels = 100

// Records store the channels.
type Records interface {
	PutAlertChannel(ctx context.Context, c anchor.AlertChannel, sealed []byte) error
	NoteAlertSent(ctx context.Context, id string, at int64, problem string) error
	AlertChannels(ctx context.Context, each func(c anchor.AlertChannel, sealed []byte) error) error
	DeleteAlertChannel(ctx context.Context, id string) error
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
	Now     func() time.Time // time.Now when nil

	// Gather is how long alerts are collected for one message, 10 s when 0.
	Gather time.Duration
	// Hourly is how many messages a channel gets in an hour, 20 when 0. The next one says how many alerts were left out.
	Hourly int
	// Retries is the policy for a message that cannot be sent; five calls within some minutes when zero.
	Retries retry.Policy
}

// Service sends alerts. It is safe for concurrent use.
type Service struct {
	Config
	stop    context.CancelFunc
	ctx     context.Context // ends with Close
	running sync.WaitGroup

	mu      sync.Mutex
	open    map[string]anchor.Alert // troubles that are not over, by key
	lately  map[string]time.Time    // when a key was reported last
	sending map[string]*outbox      // by channel
}

// outbox is what a channel is about to get.
type outbox struct {
	alerts []anchor.Alert
	left   int         // alerts that were left out
	sent   []time.Time // of messages of the last hour
	busy   bool
}

const (
	// sameAgain is how long a trouble without an end, such as a new error, is not reported again under its key.
	sameAgain = time.Hour
	// maxGathered is how many alerts one message has.
	maxGathered = 50
)

// New returns a service. Close ends it.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Gather == 0 {
		c.Gather = 10 * time.Second
	}
	if c.Hourly == 0 {
		c.Hourly = 20
	}
	if c.Retries == (retry.Policy{}) {
		c.Retries = retry.Policy{First: 2 * time.Second, Longest: 2 * time.Minute, Calls: 5}
	}
	s := &Service{Config: c, open: map[string]anchor.Alert{}, lately: map[string]time.Time{}, sending: map[string]*outbox{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends the service. Alerts that were not sent are lost; their causes are in the log and in the records.
func (s *Service) Close() error {
	s.stop()
	s.running.Wait()
	return nil
}

// Add checks and stores a channel. The secret of a webhook is part of what it returns, and only then.
func (s *Service) Add(ctx context.Context, c anchor.AlertChannel, t anchor.AlertTarget) (anchor.AlertChannel, anchor.AlertTarget, error) {
	if err := prepare(&c, &t); err != nil {
		return c, t, err
	}
	all, err := s.List(ctx)
	if err != nil {
		return c, t, err
	}
	if len(all) >= MaxChannels {
		return c, t, anchor.Conflict("too_many_alert_channels", "the server has %d alert channels, as many as it can have", len(all)).Hintf("Remove one: anchor alerts rm ID")
	}
	c.ID, c.CreatedAt = anchor.NewID(), s.Now().UnixMilli()
	plain, err := json.Marshal(t)
	if err != nil {
		return c, t, err
	}
	return c, t, s.Records.PutAlertChannel(ctx, c, s.Box.Seal(plain, "alert", c.ID))
}

// prepare refuses what cannot work and fills in what was left out.
func prepare(c *anchor.AlertChannel, t *anchor.AlertTarget) error {
	if len(c.Events) == 0 {
		c.Events = anchor.AlertEvents
	}
	for _, e := range c.Events {
		if !slices.Contains(anchor.AlertEvents, e) {
			return anchor.Invalid("bad_alert_event", "%q is not what alerts can report", e).Hintf("Use one of %s.", strings.Join(anchor.AlertEvents, ", "))
		}
	}
	switch c.Kind {
	case "webhook", "slack":
		u, err := url.Parse(t.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return anchor.Invalid("bad_alert_target", "the URL of the %s is not an http or https URL", c.Kind).Hintf("Pass it whole, such as https://example.com/hook.")
		}
		c.Target = u.Host
		t.SMTP, t.From, t.To = "", "", ""
		if c.Kind == "webhook" && t.Secret == "" {
			t.Secret = newSecret()
		}
		if c.Kind == "webhook" {
			if _, err := signingKey(t.Secret); err != nil {
				return anchor.Invalid("bad_alert_secret", "the secret is not of the form whsec_ and base64").Hintf("Leave it out: Anchor generates one.")
			}
		}
	case "email":
		if err := checkMail(t); err != nil {
			return err
		}
		c.Target, t.URL, t.Secret = t.To, "", ""
	default:
		return anchor.Invalid("bad_alert_kind", "%q is not a kind of alert channel", c.Kind).Hintf("Use webhook, slack or email.")
	}
	return nil
}

func checkMail(t *anchor.AlertTarget) error {
	u, err := url.Parse(t.SMTP)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return anchor.Invalid("bad_alert_target", "the SMTP server is not of the form smtp://USER:PASSWORD@HOST:PORT").Hintf("Use smtp for STARTTLS, on port 587 when none is named, or smtps for TLS from the start.")
	}
	for what, address := range map[string]string{"sender": t.From, "recipient": t.To} {
		if a, err := mail.ParseAddress(address); err != nil || a.Name != "" {
			return anchor.Invalid("bad_alert_target", "the %s %q is not an e-mail address", what, address).Hintf("Pass an address such as ops@example.com.")
		}
	}
	return nil
}

func newSecret() string {
	key := make([]byte, 24)
	_, _ = rand.Read(key) // never fails, since Go 1.24
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// List returns the channels, the oldest first.
func (s *Service) List(ctx context.Context) ([]anchor.AlertChannel, error) {
	all := []anchor.AlertChannel{}
	err := s.Records.AlertChannels(ctx, func(c anchor.AlertChannel, _ []byte) error { all = append(all, c); return nil })
	return all, err
}

// Remove removes a channel, anchor.ErrNotFound without one.
func (s *Service) Remove(ctx context.Context, id string) error {
	return s.Records.DeleteAlertChannel(ctx, id)
}

// channel is a channel with its secrets.
type channel struct {
	anchor.AlertChannel
	target anchor.AlertTarget
}

func (s *Service) channels(ctx context.Context) (all []channel, err error) {
	err = s.Records.AlertChannels(ctx, func(c anchor.AlertChannel, sealed []byte) error {
		plain, err := s.Box.Open(sealed, "alert", c.ID)
		if err != nil {
			return fmt.Errorf("read the target of alert channel %s: %w", c.ID, err)
		}
		one := channel{AlertChannel: c}
		if err := json.Unmarshal(plain, &one.target); err != nil {
			return fmt.Errorf("read the target of alert channel %s: %w", c.ID, err)
		}
		all = append(all, one)
		return nil
	})
	return all, err
}

// Test sends a message to a channel now and returns what went wrong.
func (s *Service) Test(ctx context.Context, id string) error {
	all, err := s.channels(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c channel) bool { return c.ID == id })
	if i < 0 {
		return anchor.NotFound("unknown_alert_channel", "there is no alert channel %q", id).Hintf("Run anchor alerts ls for a list.")
	}
	now := s.Now().UnixMilli()
	err = all[i].send(ctx, message{Alerts: []anchor.Alert{{Event: "test", Key: "test", Title: "Anchor can reach this channel", Time: now}}, id: anchor.NewID(), at: s.Now()})
	if err != nil {
		err = anchor.Failed("alert_not_sent", "the alert could not be sent to %s", all[i].Target).
			Hintf("%v. Check the target, then add the channel again: anchor alerts add --help", err).Because(err)
	}
	return errors.Join(err, s.Records.NoteAlertSent(ctx, id, now, problemOf(err)))
}

func problemOf(err error) string {
	if e := (*anchor.Error)(nil); errors.As(err, &e) && e.Err != nil {
		err = e.Err
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// Raise reports a trouble that has no end, such as a failed deploy. It is not reported again within an hour. Raise does not wait.
func (s *Service) Raise(a anchor.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for key, at := range s.lately {
		if now.Sub(at) >= sameAgain {
			delete(s.lately, key)
		}
	}
	if _, lately := s.lately[a.Key]; lately {
		return
	}
	s.lately[a.Key] = now
	s.deliver(a)
}

// Set reports that a trouble has begun when it was not open, and that it is over when a.Resolved. It does not wait.
func (s *Service) Set(a anchor.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, open := s.open[a.Key]
	switch {
	case a.Resolved && open:
		delete(s.open, a.Key)
	case !a.Resolved && !open:
		s.open[a.Key] = a
	default:
		return
	}
	s.deliver(a)
}

// deliver starts a goroutine that finds the channels, since the caller may hold what the records need.
func (s *Service) deliver(a anchor.Alert) {
	if a.Time == 0 {
		a.Time = s.Now().UnixMilli()
	}
	if s.ctx.Err() != nil {
		return
	}
	s.running.Go(func() {
		all, err := s.channels(s.ctx)
		if err != nil {
			s.Log.Error("find the channels of an alert", "alert", a.Title, "error", err)
		}
		for _, c := range all {
			if slices.Contains(c.Events, a.Event) && (c.ProjectID == "" || c.ProjectID == a.ProjectID) {
				s.put(c.ID, a)
			}
		}
	})
}

func (s *Service) put(id string, a anchor.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	box := s.sending[id]
	if box == nil {
		box = &outbox{}
		s.sending[id] = box
	}
	if len(box.alerts) >= maxGathered {
		box.left++
		return
	}
	box.alerts = append(box.alerts, a)
	if !box.busy {
		box.busy = true
		s.running.Go(func() { s.empty(id, box) })
	}
}

// empty sends what a channel gets, one message at a time, until nothing is left.
func (s *Service) empty(id string, box *outbox) {
	for {
		select {
		case <-time.After(s.Gather):
		case <-s.ctx.Done():
			return
		}
		m, ok := s.take(box)
		if !ok {
			return
		}
		s.sendTo(id, m)
	}
}

// take returns the next message of an outbox; false when there is none, or no more in this hour.
func (s *Service) take(box *outbox) (message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	box.sent = slices.DeleteFunc(box.sent, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(box.alerts) > 0 && len(box.sent) >= s.Hourly {
		box.left += len(box.alerts)
		box.alerts = nil
	}
	if len(box.alerts) == 0 {
		box.busy = false
		return message{}, false
	}
	m := message{Alerts: box.alerts, Left: box.left, id: anchor.NewID(), at: now}
	box.alerts, box.left = nil, 0
	box.sent = append(box.sent, now)
	return m, true
}

func (s *Service) sendTo(id string, m message) {
	all, err := s.channels(s.ctx)
	i := slices.IndexFunc(all, func(c channel) bool { return c.ID == id })
	if err == nil && i < 0 {
		return // removed meanwhile
	}
	if err == nil {
		err = retry.Do(s.ctx, s.Retries, func() error { return all[i].send(s.ctx, m) })
	}
	if err != nil {
		s.Log.Warn("an alert could not be sent", "channel", id, "alert", m.Alerts[0].Title, "error", err)
	}
	if e := s.Records.NoteAlertSent(context.WithoutCancel(s.ctx), id, s.Now().UnixMilli(), problemOf(err)); e != nil {
		s.Log.Error("note a sent alert", "channel", id, "error", e)
	}
}
