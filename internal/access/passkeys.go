package access

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Passkeys makes and checks the ceremonies of passkeys. origin is that of the page, as the browser reports it.
type Passkeys interface {
	// BeginRegistration and BeginSignIn return options for the browser and the state that the end needs.
	BeginRegistration(origin string, p anchor.Person, credentials []json.RawMessage) (options, state json.RawMessage, err error)
	BeginSignIn(origin string) (options, state json.RawMessage, err error)
	// FinishRegistration returns the credential to store.
	FinishRegistration(origin string, p anchor.Person, state, response json.RawMessage) (json.RawMessage, error)
	// FinishSignIn returns whose passkey it is, which of theirs, and what to store in its place.
	FinishSignIn(origin string, state, response json.RawMessage, find func(id string) (anchor.Person, []json.RawMessage, error)) (person string, at int, credential json.RawMessage, err error)
}

// credentials is what a person signs in with, as the records keep it.
type credentials struct {
	Passkeys []storedPasskey `json:"passkeys,omitempty"`
	Password *storedPassword `json:"password,omitempty"`
}

type storedPasskey struct {
	anchor.Passkey
	Credential json.RawMessage `json:"credential"`
}

// Ceremony is a ceremony that has begun.
type Ceremony struct {
	ID      string          `json:"id" doc:"Identifies the ceremony when it ends"`
	Options json.RawMessage `json:"options" doc:"Options of Web Authentication as JSON, for the browser"`
}

// How long a ceremony may take, and how many there are at a time.
const (
	ceremonyTime   = 5 * 60 * 1000
	mostCeremonies = 1000
)

// ceremonies are those that have begun, in memory: after a restart the browser begins again.
type ceremonies struct {
	mu   sync.Mutex
	open map[string]ceremony
}

type ceremony struct {
	person, origin string
	state          json.RawMessage
	until          int64
}

func (c *ceremonies) begin(one ceremony, now int64) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, old := range c.open {
		if old.until <= now {
			delete(c.open, id)
		}
	}
	if len(c.open) >= mostCeremonies {
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "too_many_ceremonies", Message: "too many people sign in at the same time"}
		return "", e.Hintf("Try again in some minutes, or sign in by a link.")
	}
	if c.open == nil {
		c.open = map[string]ceremony{}
	}
	id := newSecret("")
	one.until = now + ceremonyTime
	c.open[id] = one
	return id, nil
}

// end returns a ceremony once. A response is never checked twice.
func (c *ceremonies) end(id, person string, now int64) (ceremony, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, found := c.open[id]
	if !found || one.person != person || one.until <= now {
		return one, anchor.Invalid("unknown_ceremony", "the sign-in took too long, or its answer was used already").Hintf("Try again.")
	}
	delete(c.open, id)
	return one, nil
}

func (s *Service) credentialsOf(ctx context.Context, person string) (c credentials, text string, err error) {
	if text, err = s.People.Credentials(ctx, person); err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &c)
	}
	return c, text, err
}

func (s *Service) putCredentials(ctx context.Context, person, from string, c credentials) error {
	to, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.People.PutCredentials(ctx, person, from, string(to))
}

func (c credentials) raw() (all []json.RawMessage) {
	for _, p := range c.Passkeys {
		all = append(all, p.Credential)
	}
	return all
}

// hasPasskeys returns an error where there are none.
func (s *Service) hasPasskeys() error {
	if s.People == nil {
		return errNoPeople()
	}
	if s.Passkeys == nil {
		return anchor.NotFound("no_passkeys", "this server has no passkeys").Hintf("Sign in by a link.")
	}
	return nil
}

// self returns the person of an actor in a session: credentials are only ever the own ones.
func (s *Service) self(ctx context.Context, by Actor) (anchor.Person, error) {
	if by.Kind != KindPerson {
		e := &anchor.Error{Kind: anchor.KindForbidden, Code: "not_a_person", Message: "the token " + by.Name + " belongs to no person"}
		return anchor.Person{}, e.Hintf("Sign in to the dashboard: anchor open --dashboard")
	}
	return s.Find(ctx, by, by.ID)
}

// ListPasskeys returns the passkeys of the actor, oldest first.
func (s *Service) ListPasskeys(ctx context.Context, by Actor) ([]anchor.Passkey, error) {
	if err := s.hasPasskeys(); err != nil {
		return nil, err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return nil, err
	}
	c, _, err := s.credentialsOf(ctx, p.ID)
	all := []anchor.Passkey{}
	for _, one := range c.Passkeys {
		all = append(all, one.Passkey)
	}
	return all, err
}

// BeginPasskey begins to register a passkey of the actor.
func (s *Service) BeginPasskey(ctx context.Context, by Actor, origin string) (Ceremony, error) {
	if err := s.hasPasskeys(); err != nil {
		return Ceremony{}, err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return Ceremony{}, err
	}
	c, _, err := s.credentialsOf(ctx, p.ID)
	if err != nil {
		return Ceremony{}, err
	}
	options, state, err := s.Passkeys.BeginRegistration(origin, p, c.raw())
	if err != nil {
		return Ceremony{}, err
	}
	id, err := s.ceremonies.begin(ceremony{person: p.ID, origin: origin, state: state}, s.now())
	return Ceremony{id, options}, err
}

// AddPasskey stores a passkey of the actor under a name.
func (s *Service) AddPasskey(ctx context.Context, by Actor, id, name string, response json.RawMessage) (anchor.Passkey, error) {
	if err := s.hasPasskeys(); err != nil {
		return anchor.Passkey{}, err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return anchor.Passkey{}, err
	}
	if name = strings.TrimSpace(name); name == "" || utf8.RuneCountInString(name) > maxName {
		return anchor.Passkey{}, anchor.Invalid("bad_passkey_name", "%q is not a valid name of a passkey", name).
			Hintf("Use 1 to %d characters, for example the name of the device.", maxName)
	}
	one, err := s.ceremonies.end(id, p.ID, s.now())
	if err != nil {
		return anchor.Passkey{}, err
	}
	credential, err := s.Passkeys.FinishRegistration(one.origin, p, one.state, response)
	if err != nil {
		return anchor.Passkey{}, err
	}
	c, before, err := s.credentialsOf(ctx, p.ID)
	if err != nil {
		return anchor.Passkey{}, err
	}
	added := anchor.Passkey{ID: anchor.NewID(), Name: name, CreatedAt: s.now()}
	c.Passkeys = append(c.Passkeys, storedPasskey{added, credential})
	return added, s.putCredentials(ctx, p.ID, before, c)
}

// RemovePasskey removes a passkey of the actor, or returns NotFound.
func (s *Service) RemovePasskey(ctx context.Context, by Actor, id string) error {
	if err := s.hasPasskeys(); err != nil {
		return err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return err
	}
	c, before, err := s.credentialsOf(ctx, p.ID)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(c.Passkeys), func(one storedPasskey) bool { return one.ID == id })
	if len(left) == len(c.Passkeys) {
		return anchor.NotFound("unknown_passkey", "there is no passkey %q", id).Hintf("It was removed already. Nothing is left to do.")
	}
	c.Passkeys = left
	return s.putCredentials(ctx, p.ID, before, c)
}

// BeginPasskeySignIn begins a sign-in by a passkey, without knowing whose.
func (s *Service) BeginPasskeySignIn(origin string) (Ceremony, error) {
	if err := s.hasPasskeys(); err != nil {
		return Ceremony{}, err
	}
	options, state, err := s.Passkeys.BeginSignIn(origin)
	if err != nil {
		return Ceremony{}, err
	}
	id, err := s.ceremonies.begin(ceremony{origin: origin, state: state}, s.now())
	return Ceremony{id, options}, err
}

// PasskeySignIn begins a session of the person whose passkey signed the response.
func (s *Service) PasskeySignIn(ctx context.Context, id string, response json.RawMessage, from, agent string) (NewSession, error) {
	if err := s.hasPasskeys(); err != nil {
		return NewSession{}, err
	}
	one, err := s.ceremonies.end(id, "", s.now())
	if err != nil {
		return NewSession{}, err
	}
	var c credentials
	var before string
	person, at, credential, err := s.Passkeys.FinishSignIn(one.origin, one.state, response, func(id string) (anchor.Person, []json.RawMessage, error) {
		p, err := s.Find(ctx, Actor{}, id)
		if err != nil {
			return p, nil, err
		}
		c, before, err = s.credentialsOf(ctx, p.ID)
		return p, c.raw(), err
	})
	if err != nil {
		return NewSession{}, err
	}
	c.Passkeys[at].Credential, c.Passkeys[at].UsedAt = credential, s.now()
	if err := s.putCredentials(ctx, person, before, c); err != nil {
		return NewSession{}, err
	}
	return s.beginSession(ctx, person, from, agent)
}
