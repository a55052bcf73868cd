package access

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// IdentityProvider signs people in elsewhere, by the authorization code flow of OpenID Connect.
type IdentityProvider interface {
	Name() string // what people call it
	// Begin returns the URL that the browser has to open, and what Finish needs. The provider sends the browser
	// back to redirect, with state.
	Begin(ctx context.Context, redirect, state string) (url string, flow json.RawMessage, err error)
	// Finish returns whom the code identifies. The error is Unauthorized when the provider does not confirm it.
	Finish(ctx context.Context, redirect string, flow json.RawMessage, code string) (anchor.Claims, error)
}

// providerFlow is a sign-in at the provider that has begun.
type providerFlow struct {
	State string          `json:"state"`
	Flow  json.RawMessage `json:"flow"`
}

// ProviderName returns the name of the identity provider, "" without one.
func (s *Service) ProviderName() string {
	if s.People == nil || s.Provider == nil {
		return ""
	}
	return s.Provider.Name()
}

// BeginProviderSignIn begins a sign-in at the identity provider, which sends the browser back to redirect. Only
// the browser knows the id, and only the address that it comes back with has the state: an address that somebody
// else was sent signs nobody in.
func (s *Service) BeginProviderSignIn(ctx context.Context, redirect string) (id, to string, err error) {
	if s.ProviderName() == "" {
		return "", "", errNoProvider()
	}
	if err := checkRedirect(redirect); err != nil {
		return "", "", err
	}
	flow := providerFlow{State: newSecret("")}
	if to, flow.Flow, err = s.Provider.Begin(ctx, redirect, flow.State); err != nil {
		return "", "", err
	}
	state, err := json.Marshal(flow)
	if err != nil {
		return "", "", err
	}
	id, err = s.flows.begin(ceremony{origin: redirect, state: state}, s.now())
	return id, to, err
}

func errNoProvider() error {
	return anchor.NotFound("no_identity_provider", "this server has no identity provider").
		Hintf("Sign in by a link. To set a provider up, start the server with anchor up --oidc-issuer URL.")
}

// checkRedirect refuses an address that a secret must not be sent to: one without encryption that is not on this machine.
func checkRedirect(redirect string) error {
	u, err := url.Parse(redirect)
	if err == nil && u.Host != "" {
		addr, err := netip.ParseAddr(u.Hostname())
		local := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
		if u.Scheme == "https" || u.Scheme == "http" && local {
			return nil
		}
	}
	return anchor.Invalid("bad_redirect", "%q cannot be an address that the identity provider sends browsers back to", redirect).
		Hintf("Use an https address, or one of this machine.")
}

// ProviderSignIn begins a session of the person whom the provider identifies by the code. The person is the one
// whom this account has signed in before; else the one who is invited with the e-mail address that the provider has
// verified; else, where its domain is admitted, a person who is made now.
func (s *Service) ProviderSignIn(ctx context.Context, id, state, code, from, agent string) (NewSession, error) {
	if s.ProviderName() == "" {
		return NewSession{}, errNoProvider()
	}
	one, err := s.flows.end(id, "", s.now())
	if err != nil {
		return NewSession{}, err
	}
	var flow providerFlow
	if err := json.Unmarshal(one.state, &flow); err != nil {
		return NewSession{}, err
	}
	if subtle.ConstantTimeCompare([]byte(flow.State), []byte(state)) != 1 {
		return NewSession{}, errUnconfirmed("bad_state", "the answer of "+s.Provider.Name()+" belongs to another sign-in", "Sign in again.")
	}
	claims, err := s.Provider.Finish(ctx, one.origin, flow.Flow, code)
	if err != nil {
		return NewSession{}, err
	}
	person, err := s.identify(ctx, claims)
	if err != nil {
		return NewSession{}, err
	}
	return s.beginSession(ctx, person, from, agent)
}

func errUnconfirmed(code, message, hint string) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: code, Message: message}
	return e.Hintf("%s", hint)
}

// identify returns the id of the person whom claims describe. It stores the account at their first sign-in by it.
func (s *Service) identify(ctx context.Context, claims anchor.Claims) (id string, err error) {
	err = s.People.ChangePeople(ctx, func(all []anchor.Person) ([]anchor.Person, error) {
		known := func(p anchor.Person) bool { return slices.Contains(p.Identities, claims.Identity) }
		if at := slices.IndexFunc(all, known); at >= 0 {
			id = all[at].ID
			return all, nil
		}
		email := lowerASCII(claims.Email)
		if email == "" || !claims.EmailVerified {
			return nil, errUnconfirmed("email_not_verified", s.Provider.Name()+" has verified no e-mail address of this account",
				"Verify the address of the account there, then sign in again.")
		}
		if at := slices.IndexFunc(all, func(p anchor.Person) bool { return p.Email == email }); at >= 0 {
			id = all[at].ID
			return all, s.addIdentity(&all[at], claims)
		}
		p, err := s.admit(all, claims, email)
		id = p.ID
		return append(all, p), err
	})
	return id, err
}

// addIdentity lets an account sign in a person who is invited with its address. A second account of the same
// provider is refused: an address that was freed and given to somebody else must not open the account of the first.
func (s *Service) addIdentity(p *anchor.Person, claims anchor.Claims) error {
	if slices.ContainsFunc(p.Identities, func(i anchor.Identity) bool { return i.Issuer == claims.Issuer }) {
		return errUnconfirmed("other_account", claims.Email+" signs in by another account of "+s.Provider.Name(),
			"If the account was made again, ask an admin to set the address once more: anchor people set NAME --email ADDRESS")
	}
	p.Identities = append(p.Identities, claims.Identity)
	return nil
}

// admit makes a person whom nobody has invited.
func (s *Service) admit(all []anchor.Person, claims anchor.Claims, email string) (anchor.Person, error) {
	role, admitted := s.Admits[email[strings.LastIndexByte(email, '@')+1:]]
	if !admitted {
		return anchor.Person{}, errUnconfirmed("not_invited", "nobody is invited with the e-mail address "+email,
			"Ask an admin to invite you with it: anchor people invite NAME --email "+email+" --role developer")
	}
	p := anchor.Person{
		ID: anchor.NewID(), Name: personName(all, claims.Name, email), Role: role, Email: email,
		Identities: []anchor.Identity{claims.Identity}, CreatedAt: s.now(),
	}
	return p, checkPerson(p)
}

// personName returns a valid name that nobody has: that of the account, else the e-mail address.
func personName(all []anchor.Person, name, email string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == '/' {
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	taken := slices.ContainsFunc(all, func(p anchor.Person) bool { return p.Name == name })
	if taken || checkName(name) != nil {
		return email
	}
	return name
}

// lowerASCII lower-cases A to Z only. Unicode has other letters whose lower case is in ASCII, such as the Kelvin
// sign: two addresses must not become one by them.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, text)
}

// checkEmail returns an address in the form that it is compared in.
func checkEmail(text string) (string, error) {
	email := lowerASCII(strings.TrimSpace(text))
	if email == "" {
		return "", nil
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > 254 {
		return "", anchor.Invalid("bad_email", "%q is not an e-mail address", text).Hintf("Use an address such as ada@example.com.")
	}
	return email, nil
}

// checkEmails returns a Conflict when two people have one address.
func checkEmails(all []anchor.Person) error {
	seen := map[string]string{}
	for _, p := range all {
		if other, taken := seen[p.Email]; taken && p.Email != "" {
			return anchor.Conflict("email_taken", "%s and %s would have the e-mail address %s", other, p.Name, p.Email).
				Hintf("Use another address, or remove it from one of them: anchor people set NAME --email \"\"")
		}
		seen[p.Email] = p.Name
	}
	return nil
}
