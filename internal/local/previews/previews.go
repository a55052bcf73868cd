// Package previews decides who may see the previews of a project: those who have the password or have signed in
// and have a role in the project, and those who send a bypass token, as tests do.
package previews

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// Records keep the protection of projects, sealed.
type Records interface {
	// PutProtection stores the protection of a project, durable on return; nil removes it.
	PutProtection(ctx context.Context, p anchor.ProjectID, sealed []byte) error
	// Protections returns all of them.
	Protections(ctx context.Context) (map[anchor.ProjectID][]byte, error)
}

// Box encrypts secrets for one place.
type Box interface {
	Seal(plain []byte, place ...string) []byte
	Open(sealed []byte, place ...string) ([]byte, error)
}

// Refuse is edge.Guard.Refuse.
type Refuse = func(w http.ResponseWriter, r *http.Request, secure bool) bool

// MayVisit reports whether a session, by its id, lasts and its person may see the project.
type MayVisit = func(ctx context.Context, session string, p anchor.ProjectID) (bool, error)

// Config holds the parts of a Service.
type Config struct {
	Records Records
	Box     Box
	// SetGuard makes refuse decide who may see the previews of a project; nil: everybody.
	SetGuard func(p anchor.ProjectID, refuse Refuse)
	// MayVisit is asked for each request of a visitor who has signed in.
	MayVisit MayVisit
	// SignInAt is the address where browsers exchange a ticket for a code, "" when those of visitors cannot reach it.
	SignInAt string
	Now      func() time.Time // time.Now when nil
}

// Service protects previews.
type Service struct {
	Config
	changes keylock.Locks[anchor.ProjectID]
	codes   codes

	mu  sync.Mutex
	all map[anchor.ProjectID]protection
}

// protection is what is stored of a project whose previews are protected.
type protection struct {
	SignIn    bool   `json:"signIn,omitempty"` // else by the password
	Salt      []byte `json:"salt,omitempty"`   // of the password
	Password  []byte `json:"password,omitempty"`
	Bypass    []byte `json:"bypass,omitempty"` // SHA-256 of the token
	Key       []byte `json:"key"`              // authenticates cookies; a change ends those there are
	UpdatedAt int64  `json:"updatedAt"`
}

// Open returns a Service that has told SetGuard about all protected projects.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{Config: c, all: map[anchor.ProjectID]protection{}}
	stored, err := c.Records.Protections(ctx)
	if err != nil {
		return nil, err
	}
	for p, sealed := range stored {
		plain, err := c.Box.Open(sealed, place(p)...)
		if err != nil {
			return nil, err
		}
		var one protection
		if err := json.Unmarshal(plain, &one); err != nil {
			return nil, fmt.Errorf("read the protection of previews of project %s: %w", p, err)
		}
		s.all[p] = one
		s.guard(p, one)
	}
	return s, nil
}

func place(p anchor.ProjectID) []string { return []string{"previews", string(p)} }

func (s *Service) guard(p anchor.ProjectID, one protection) {
	s.SetGuard(p, s.newGate(p, one).refuse)
}

// Show returns how the previews of a project are protected.
func (s *Service) Show(_ context.Context, p anchor.ProjectID) (anchor.PreviewProtection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, found := s.all[p]
	return anchor.PreviewProtection{Enabled: found, SignIn: one.SignIn, Bypass: one.Bypass != nil, UpdatedAt: one.UpdatedAt}, nil
}

// The shortest and the longest password.
const (
	minPassword = 8
	maxPassword = 256
)

// Protect makes the previews of a project ask for a password, in place of the one before or of a sign-in. Visitors
// have to enter it, also those who were admitted before; a bypass token stays.
func (s *Service) Protect(ctx context.Context, p anchor.ProjectID, password string) (anchor.PreviewProtection, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return anchor.PreviewProtection{}, anchor.Invalid("bad_password", "the password has %d bytes", len(password)).
			Hintf("Use %d to %d. Without a password in its input, anchor previews protect makes one.", minPassword, maxPassword)
	}
	return s.change(ctx, p, func(one *protection) error {
		one.SignIn, one.Salt, one.Key = false, random(16), random(32)
		hash, err := hashPassword(password, one.Salt)
		one.Password = hash
		return err
	})
}

// ProtectBySignIn makes visitors of the previews of a project sign in, in place of a password. A bypass token stays.
func (s *Service) ProtectBySignIn(ctx context.Context, p anchor.ProjectID) (anchor.PreviewProtection, error) {
	if s.SignInAt == "" {
		return anchor.PreviewProtection{}, anchor.Conflict("no_admin_domain", "visitors cannot reach the dashboard of this server, in which they would sign in").
			Hintf("Start the server with anchor up --admin-domain NAME, or use a password.")
	}
	return s.change(ctx, p, func(one *protection) error {
		one.SignIn, one.Salt, one.Password, one.Key = true, nil, nil, random(32)
		return nil
	})
}

// NewBypass replaces the bypass token of a protected project and returns it. It is shown this once.
func (s *Service) NewBypass(ctx context.Context, p anchor.ProjectID) (token string, err error) {
	s.mu.Lock()
	_, found := s.all[p]
	s.mu.Unlock()
	if !found {
		return "", anchor.Conflict("not_protected", "the previews of the project are not protected").
			Hintf("Protect them first: anchor previews protect")
	}
	token = "bypass_" + base64.RawURLEncoding.EncodeToString(random(32))
	_, err = s.change(ctx, p, func(one *protection) error {
		sum := sha256.Sum256([]byte(token))
		one.Bypass, one.Key = sum[:], random(32)
		return nil
	})
	return token, err
}

// Unprotect lets everybody see the previews of a project, and ends its bypass token.
func (s *Service) Unprotect(ctx context.Context, p anchor.ProjectID) error {
	defer s.changes.Lock(p)()
	if err := s.Records.PutProtection(ctx, p, nil); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.all, p)
	s.mu.Unlock()
	s.SetGuard(p, nil)
	return nil
}

// change changes the protection of a project. It is stored before it takes effect.
func (s *Service) change(ctx context.Context, p anchor.ProjectID, do func(*protection) error) (anchor.PreviewProtection, error) {
	defer s.changes.Lock(p)()
	s.mu.Lock()
	one := s.all[p]
	s.mu.Unlock()
	err := do(&one)
	one.UpdatedAt = s.Now().UnixMilli()
	var plain []byte
	if err == nil {
		plain, err = json.Marshal(one)
	}
	if err == nil {
		err = s.Records.PutProtection(ctx, p, s.Box.Seal(plain, place(p)...))
	}
	if err != nil {
		return anchor.PreviewProtection{}, err
	}
	s.mu.Lock()
	s.all[p] = one
	s.mu.Unlock()
	s.guard(p, one)
	return s.Show(ctx, p)
}

// Forget drops what is known of a project that is removed.
func (s *Service) Forget(p anchor.ProjectID) {
	s.mu.Lock()
	delete(s.all, p)
	s.mu.Unlock()
	s.SetGuard(p, nil)
}

// iterations of PBKDF2: some 50 ms of a core.
const iterations = 200_000

func hashPassword(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
}

func (one protection) isPassword(password string) bool {
	if len(password) > maxPassword {
		return false
	}
	hash, err := hashPassword(password, one.Salt)
	return err == nil && subtle.ConstantTimeCompare(hash, one.Password) == 1
}

func (one protection) isBypass(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return one.Bypass != nil && subtle.ConstantTimeCompare(sum[:], one.Bypass) == 1
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return b
}
