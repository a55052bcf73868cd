// Package passkey makes and checks the ceremonies of passkeys (Web Authentication Level 3, §7.1 and §7.2). It keeps
// nothing: what is between the begin and the end of a ceremony, and the credentials, are its caller's.
package passkey

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ceremonies implements access.Passkeys. The zero value is ready.
type Ceremonies struct{}

// party is the relying party of an origin, which is its host name: browsers allow no addresses.
func party(origin string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, anchor.Invalid("bad_origin", "%q is not the origin of a page", origin).Hintf("Send scheme, host and port.")
	}
	w, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "Anchor", RPOrigins: []string{origin}})
	if err != nil {
		return nil, anchor.Invalid("bad_origin", "passkeys do not work at %s", origin).
			Hintf("Open the dashboard at http://localhost or over HTTPS at a name: browsers allow no IP addresses.").Because(err)
	}
	return w, nil
}

// user is a person with their credentials.
type user struct {
	id, name string
	stored   []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return []byte(u.id) }
func (u user) WebAuthnName() string                       { return u.name }
func (u user) WebAuthnDisplayName() string                { return u.name }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.stored }

func newUser(p anchor.Person, credentials []json.RawMessage) (user, error) {
	u := user{id: p.ID, name: p.Name}
	for _, text := range credentials {
		var c webauthn.Credential
		if err := json.Unmarshal(text, &c); err != nil {
			return u, fmt.Errorf("read a passkey of %s: %w", p.Name, err)
		}
		u.stored = append(u.stored, c)
	}
	return u, nil
}

// BeginRegistration returns the options for navigator.credentials.create, and the state of the ceremony.
func (Ceremonies) BeginRegistration(origin string, p anchor.Person, credentials []json.RawMessage) (options, state json.RawMessage, err error) {
	w, err := party(origin)
	if err != nil {
		return nil, nil, err
	}
	u, err := newUser(p, credentials)
	if err != nil {
		return nil, nil, err
	}
	known := webauthn.Credentials(u.stored).CredentialDescriptors()
	creation, session, err := w.BeginRegistration(u, webauthn.WithExclusions(known), webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
		ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
	}))
	if err != nil {
		return nil, nil, fmt.Errorf("begin to register a passkey: %w", err)
	}
	return encode(creation.Response, session)
}

func encode(response any, session *webauthn.SessionData) (options, state json.RawMessage, err error) {
	if options, err = json.Marshal(response); err == nil {
		state, err = json.Marshal(session)
	}
	return options, state, err
}

// FinishRegistration returns the credential that the response of a browser contains.
func (Ceremonies) FinishRegistration(origin string, p anchor.Person, state, response json.RawMessage) (json.RawMessage, error) {
	w, err := party(origin)
	if err != nil {
		return nil, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return nil, fmt.Errorf("read the state of the registration: %w", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, refused(err)
	}
	c, err := w.CreateCredential(user{id: p.ID, name: p.Name}, session, parsed)
	if err != nil {
		return nil, refused(err)
	}
	return json.Marshal(c)
}

func refused(err error) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "bad_passkey", Message: "the passkey was not accepted"}
	return e.Hintf("Try again, or sign in by a link: anchor open --dashboard").Because(err)
}

// BeginSignIn returns the options for navigator.credentials.get, and the state of the ceremony.
func (Ceremonies) BeginSignIn(origin string) (options, state json.RawMessage, err error) {
	w, err := party(origin)
	if err != nil {
		return nil, nil, err
	}
	assertion, session, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, nil, fmt.Errorf("begin to sign in by a passkey: %w", err)
	}
	return encode(assertion.Response, session)
}

// FinishSignIn returns the id of the person whose passkey signed the response, the place of the credential among
// theirs, and the credential as it is to be stored from now on. find returns a person by id with their credentials.
func (Ceremonies) FinishSignIn(origin string, state, response json.RawMessage, find func(id string) (anchor.Person, []json.RawMessage, error)) (person string, at int, credential json.RawMessage, err error) {
	w, err := party(origin)
	if err != nil {
		return "", 0, nil, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return "", 0, nil, fmt.Errorf("read the state of the sign-in: %w", err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return "", 0, nil, refused(err)
	}
	var found user
	handler := func(_, handle []byte) (webauthn.User, error) {
		p, credentials, err := find(string(handle))
		if err != nil {
			return nil, err
		}
		found, err = newUser(p, credentials)
		return found, err
	}
	_, c, err := w.ValidatePasskeyLogin(handler, session, parsed)
	if err != nil {
		return "", 0, nil, refused(err)
	}
	if c.Authenticator.CloneWarning { // its counter went back (§6.1.1)
		return "", 0, nil, refused(fmt.Errorf("the passkey of %s may have been copied", found.name))
	}
	for i, stored := range found.stored {
		if string(stored.ID) == string(c.ID) {
			at = i
		}
	}
	credential, err = json.Marshal(c)
	return found.id, at, credential, err
}
