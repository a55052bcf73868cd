package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pquerna/otp/hotp"
	"golang.org/x/crypto/argon2"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// A password is the fallback where neither links nor passkeys serve. It never suffices alone: a code of an
// authenticator app (TOTP, RFC 6238) goes with it.
const (
	shortestPassword = 12
	longestPassword  = 200 // octets are hashed, so a longer one would cost time
	codeStep         = 30  // seconds
	mostTries        = 10  // of a person, before the password has to wait
	triesTime        = 15 * 60 * 1000
)

// Box seals what is stored.
type Box interface {
	// Seal encrypts plain for a place; Open returns it for the same place only.
	Seal(plain []byte, place ...string) []byte
	Open(sealed []byte, place ...string) ([]byte, error)
}

type storedPassword struct {
	Salt   []byte `json:"salt"`
	Hash   []byte `json:"hash"`   // argon2id
	Secret []byte `json:"secret"` // of the codes, sealed
	Last   int64  `json:"last"`   // step of the code that was used last: each works once
}

// One password is hashed at a time and few wait, because each takes 46 MiB and a core for a while.
var (
	hashing = make(chan struct{}, 1)
	waiting = make(chan struct{}, 8)
)

// hashPassword is argon2id with a single lane, two passes and 46 MiB: more than the parameters that OWASP's Password
// Storage Cheat Sheet recommends. The error is Busy when too many passwords wait.
func hashPassword(password string, salt []byte) ([]byte, error) {
	select {
	case waiting <- struct{}{}:
		defer func() { <-waiting }()
	default:
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "too_many_passwords", Message: "too many people sign in by a password at the same time"}
		return nil, e.Hintf("Try again in a moment, or sign in by a passkey or a link.")
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, 2, 46<<10, 1, 32), nil
}

// PasswordSetup is what an authenticator app needs. The password works after a code has confirmed it.
type PasswordSetup struct {
	ID     string `json:"id" doc:"Identifies the setup when it is confirmed"`
	Secret string `json:"secret" doc:"Base32, to enter into an authenticator app"`
	URI    string `json:"uri" doc:"The same as an otpauth URI"`
}

// setup is the state between the setup of a password and its confirmation.
type setup struct {
	Salt, Hash []byte
	Secret     string
}

// SetUpPassword begins to set the password of the actor. The error is Invalid for a password that is too short.
func (s *Service) SetUpPassword(ctx context.Context, by Actor, password string) (PasswordSetup, error) {
	if err := s.hasPasswords(); err != nil {
		return PasswordSetup{}, err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return PasswordSetup{}, err
	}
	if utf8.RuneCountInString(password) < shortestPassword || len(password) > longestPassword {
		return PasswordSetup{}, anchor.Invalid("bad_password", "the password has a length of %d", utf8.RuneCountInString(password)).
			Hintf("Use %d to %d characters, for example some words.", shortestPassword, longestPassword)
	}
	random := make([]byte, 36)
	rand.Read(random) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	one := setup{Salt: random[:16], Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[16:])}
	if one.Hash, err = hashPassword(password, one.Salt); err != nil {
		return PasswordSetup{}, err
	}
	state, err := json.Marshal(one)
	if err != nil {
		return PasswordSetup{}, err
	}
	id, err := s.ceremonies.begin(ceremony{person: p.ID, origin: "password", state: state}, s.now())
	uri := url.URL{Scheme: "otpauth", Host: "totp", Path: "/Anchor:" + p.Name, RawQuery: url.Values{"secret": {one.Secret}, "issuer": {"Anchor"}}.Encode()}
	return PasswordSetup{id, one.Secret, uri.String()}, err
}

func (s *Service) hasPasswords() error {
	if s.People == nil {
		return errNoPeople()
	}
	if s.Box == nil {
		return anchor.NotFound("no_passwords", "this server has no passwords").Hintf("Sign in by a link.")
	}
	return nil
}

// ConfirmPassword stores the password that was set up, in place of the one before, once a code shows that the
// authenticator app has its secret.
func (s *Service) ConfirmPassword(ctx context.Context, by Actor, id, code string) error {
	if err := s.hasPasswords(); err != nil {
		return err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return err
	}
	one, err := s.ceremonies.end(id, p.ID, s.now())
	if err != nil {
		return err
	}
	var made setup
	if err := json.Unmarshal(one.state, &made); err != nil || one.origin != "password" {
		return anchor.Invalid("unknown_ceremony", "this is not a setup of a password").Hintf("Set the password again.")
	}
	step, ok := s.stepOf(made.Secret, code, 0)
	if !ok {
		return anchor.Invalid("wrong_code", "the code is wrong, so the password was not stored").
			Hintf("Set the password again, enter the secret into the app and check the clock of the device.")
	}
	c, before, err := s.credentialsOf(ctx, p.ID)
	if err != nil {
		return err
	}
	c.Password = &storedPassword{Salt: made.Salt, Hash: made.Hash, Secret: s.Box.Seal([]byte(made.Secret), "totp", p.ID), Last: step}
	return s.putCredentials(ctx, p.ID, before, c)
}

// RemovePassword removes the password of the actor. Without one it does nothing.
func (s *Service) RemovePassword(ctx context.Context, by Actor) error {
	if err := s.hasPasswords(); err != nil {
		return err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return err
	}
	c, before, err := s.credentialsOf(ctx, p.ID)
	if err != nil || c.Password == nil {
		return err
	}
	c.Password = nil
	return s.putCredentials(ctx, p.ID, before, c)
}

// stepOf returns the step whose code it is: the current one, or a neighbor for clocks that differ (RFC 6238
// §5.2). Steps up to last were used.
func (s *Service) stepOf(secret, code string, last int64) (int64, bool) {
	code = strings.ReplaceAll(code, " ", "")
	now := s.now() / 1000 / codeStep
	for step := now - 1; step <= now+1; step++ {
		want, err := hotp.GenerateCode(secret, uint64(step))
		if err == nil && step > last && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// tries counts the wrong passwords of each person, in memory. Guesses are slowed by address, too, in the API.
type tries struct {
	mu     sync.Mutex
	failed map[string][]int64 // times by person
}

// begin counts a try, as a wrong one until it succeeds, so that tries at the same time count, too. The error is Busy when
// a person has had too many lately.
func (t *tries) begin(person string, now int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var recent []int64
	for _, at := range t.failed[person] {
		if now-at < triesTime {
			recent = append(recent, at)
		}
	}
	if len(recent) < mostTries {
		if t.failed == nil {
			t.failed = map[string][]int64{}
		}
		t.failed[person] = append(recent, now)
		return nil
	}
	t.failed[person] = recent
	e := &anchor.Error{Kind: anchor.KindBusy, Code: "too_many_tries", Message: "there were too many wrong passwords for this name"}
	return e.Hintf("Wait a quarter of an hour, or sign in by a passkey or a link.")
}

func (t *tries) succeed(person string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failed, person)
}

// PasswordSignIn begins a session by the name of a person, a password and a code. The error is Unauthorized, and the
// same, whichever of them is wrong.
func (s *Service) PasswordSignIn(ctx context.Context, name, password, code, from, agent string) (NewSession, error) {
	if err := s.hasPasswords(); err != nil {
		return NewSession{}, err
	}
	if len(password) > longestPassword {
		return NewSession{}, errWrongPassword()
	}
	p, err := s.Find(ctx, Actor{}, name)
	if err != nil && anchor.KindOf(err) != anchor.KindNotFound {
		return NewSession{}, err
	}
	var c credentials
	var before string
	if p.ID != "" {
		if err := s.tries.begin(p.ID, s.now()); err != nil {
			return NewSession{}, err
		}
		if c, before, err = s.credentialsOf(ctx, p.ID); err != nil {
			return NewSession{}, err
		}
	}
	if c.Password == nil {
		if _, err := hashPassword(password, make([]byte, 16)); err != nil { // takes as long as for somebody who has one
			return NewSession{}, err
		}
		return NewSession{}, errWrongPassword()
	}
	hash, err := hashPassword(password, c.Password.Salt)
	if err != nil {
		return NewSession{}, err
	}
	right := subtle.ConstantTimeCompare(hash, c.Password.Hash) == 1
	secret, err := s.Box.Open(c.Password.Secret, "totp", p.ID)
	if err != nil {
		return NewSession{}, fmt.Errorf("open the secret of the codes of %s: %w", p.Name, err)
	}
	step, fits := s.stepOf(string(secret), code, c.Password.Last)
	if !right || !fits {
		return NewSession{}, errWrongPassword()
	}
	c.Password.Last = step
	if err := s.putCredentials(ctx, p.ID, before, c); err != nil { // a Conflict: another request used the code
		return NewSession{}, err
	}
	s.tries.succeed(p.ID)
	return s.beginSession(ctx, p.ID, from, agent)
}

func errWrongPassword() error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "wrong_password", Message: "name, password or code is wrong"}
	return e.Hintf("Each code works once. Wait for the next one, or sign in by a passkey or a link.")
}

// HasPassword reports whether the actor can sign in by a password.
func (s *Service) HasPassword(ctx context.Context, by Actor) (bool, error) {
	if err := s.hasPasswords(); err != nil {
		return false, err
	}
	p, err := s.self(ctx, by)
	if err != nil {
		return false, err
	}
	c, _, err := s.credentialsOf(ctx, p.ID)
	return c.Password != nil, err
}
