package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func personPath(idOrName string, rest ...string) string {
	path := "/people/" + url.PathEscape(idOrName)
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// Me returns who the token or the session belongs to.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	return fetch[wire.Me](ctx, c, get("/me", nil))
}

// People lists people, oldest first.
func (c *Client) People(ctx context.Context) ([]anchor.Person, error) {
	list, err := fetch[wire.Items[anchor.Person]](ctx, c, get("/people", nil))
	return list.Items, err
}

// Invite makes a person and returns the path that signs them in once.
func (c *Client) Invite(ctx context.Context, r wire.InvitePerson) (wire.InvitedPerson, error) {
	return sendFetch[wire.InvitedPerson](ctx, c, http.MethodPost, "/people", r)
}

// SetPerson replaces the roles of a person, and the e-mail address unless it is nil.
func (c *Client) SetPerson(ctx context.Context, idOrName string, r wire.SetPerson) (anchor.Person, error) {
	return sendFetch[anchor.Person](ctx, c, http.MethodPut, personPath(idOrName), r)
}

// RemovePerson removes a person and ends their sessions.
func (c *Client) RemovePerson(ctx context.Context, idOrName string) error {
	return c.exec(ctx, http.MethodDelete, personPath(idOrName), nil)
}

// SignInLink returns a path that signs a person in once; "me" is the bearer of the token.
func (c *Client) SignInLink(ctx context.Context, idOrName string) (wire.InvitedPerson, error) {
	return sendFetch[wire.InvitedPerson](ctx, c, http.MethodPost, personPath(idOrName, "links"), nil)
}

// Sessions lists the sessions of a person, newest first.
func (c *Client) Sessions(ctx context.Context, idOrName string) ([]anchor.Session, error) {
	list, err := fetch[wire.Items[anchor.Session]](ctx, c, get(personPath(idOrName, "sessions"), nil))
	return list.Items, err
}

// EndSession ends a session of a person; "current" is the one of the client.
func (c *Client) EndSession(ctx context.Context, idOrName, session string) error {
	return c.exec(ctx, http.MethodDelete, personPath(idOrName, "sessions", session), nil)
}

// StartedSession is a session with the secret that makes requests in it.
type StartedSession struct {
	anchor.Session
	Secret string        `json:"secret"`
	Person anchor.Person `json:"person"`
}

// SignIn begins a session by the secret of a sign-in link.
func (c *Client) SignIn(ctx context.Context, link string) (StartedSession, error) {
	return sendFetch[StartedSession](ctx, c, http.MethodPost, "/sessions", wire.SignIn{Link: link})
}

// LookAtLink returns the name of the person whom a sign-in link signs in.
func (c *Client) LookAtLink(ctx context.Context, link string) (string, error) {
	holder, err := sendFetch[wire.LinkHolder](ctx, c, http.MethodPost, "/sign-in-links/look", wire.SignIn{Link: link})
	return holder.Name, err
}

// Audit lists changes, newest first: all, or those in a project, by an actor, or before a Seq.
func (c *Client) Audit(ctx context.Context, project, actor string, before int64, limit int) ([]anchor.AuditEntry, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if project != "" {
		q.Set("project", project)
	}
	if actor != "" {
		q.Set("actor", actor)
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	list, err := fetch[wire.Items[anchor.AuditEntry]](ctx, c, get("/audit", q))
	return list.Items, err
}

// Changes compares a deployment with another one, or with the live one when from is "".
func (c *Client) Changes(ctx context.Context, project string, d, from anchor.DeploymentID) (wire.Changes, error) {
	q := url.Values{}
	if from != "" {
		q.Set("from", string(from))
	}
	return fetch[wire.Changes](ctx, c, get(deploymentPath(project, d, "changes"), q))
}

// Contents returns what a deployment consists of, ErrNotFound when its files are not kept.
func (c *Client) Contents(ctx context.Context, project string, d anchor.DeploymentID) (wire.Contents, error) {
	return fetch[wire.Contents](ctx, c, get(deploymentPath(project, d, "contents"), nil))
}

// Series returns the traffic of a project within the last d, in at most so many points.
func (c *Client) Series(ctx context.Context, project string, d time.Duration, points int) (wire.Series, error) {
	return fetch[wire.Series](ctx, c, get(projectPath(project, "series"), url.Values{
		"last": {strconv.Itoa(int(d / time.Second))}, "points": {strconv.Itoa(points)},
	}))
}

// CreateTokenFor makes a token that may be for single projects and may expire.
func (c *Client) CreateTokenFor(ctx context.Context, r wire.CreateToken) (wire.CreatedToken, error) {
	return sendFetch[wire.CreatedToken](ctx, c, http.MethodPost, "/tokens", r)
}

// Ceremony is a ceremony of a passkey that has begun: options for the browser.
type Ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// Passkeys lists the passkeys of the person of the session.
func (c *Client) Passkeys(ctx context.Context) ([]anchor.Passkey, error) {
	list, err := fetch[wire.Items[anchor.Passkey]](ctx, c, get("/me/passkeys", nil))
	return list.Items, err
}

// BeginPasskey begins to register a passkey on a page of the origin.
func (c *Client) BeginPasskey(ctx context.Context, origin string) (Ceremony, error) {
	return sendFetch[Ceremony](ctx, c, http.MethodPost, "/me/passkeys/begin", wire.BeginPasskey{Origin: origin})
}

// AddPasskey stores a passkey.
func (c *Client) AddPasskey(ctx context.Context, r wire.AddPasskey) (anchor.Passkey, error) {
	return sendFetch[anchor.Passkey](ctx, c, http.MethodPost, "/me/passkeys", r)
}

// RemovePasskey removes a passkey of the person of the session.
func (c *Client) RemovePasskey(ctx context.Context, id string) error {
	return c.exec(ctx, http.MethodDelete, "/me/passkeys/"+url.PathEscape(id), nil)
}

// BeginPasskeySignIn begins to sign in by a passkey on a page of the origin.
func (c *Client) BeginPasskeySignIn(ctx context.Context, origin string) (Ceremony, error) {
	return sendFetch[Ceremony](ctx, c, http.MethodPost, "/sessions/passkey/begin", wire.BeginPasskey{Origin: origin})
}

// PasskeySignIn begins a session by a passkey.
func (c *Client) PasskeySignIn(ctx context.Context, r wire.PasskeySignIn) (StartedSession, error) {
	return sendFetch[StartedSession](ctx, c, http.MethodPost, "/sessions/passkey", r)
}

// PasswordSetup is what an authenticator app needs.
type PasswordSetup struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// HasPassword reports whether the person of the session has a password.
func (c *Client) HasPassword(ctx context.Context) (bool, error) {
	has, err := fetch[wire.HasPassword](ctx, c, get("/me/password", nil))
	return has.Set, err
}

// SetUpPassword begins to set a password.
func (c *Client) SetUpPassword(ctx context.Context, password string) (PasswordSetup, error) {
	return sendFetch[PasswordSetup](ctx, c, http.MethodPost, "/me/password", wire.SetPassword{Password: password})
}

// ConfirmPassword makes the password that was set up work.
func (c *Client) ConfirmPassword(ctx context.Context, id, code string) error {
	return c.exec(ctx, http.MethodPut, "/me/password", wire.ConfirmPassword{ID: id, Code: code})
}

// RemovePassword removes the password of the person of the session.
func (c *Client) RemovePassword(ctx context.Context) error {
	return c.exec(ctx, http.MethodDelete, "/me/password", nil)
}

// PasswordSignIn begins a session by a password and a code.
func (c *Client) PasswordSignIn(ctx context.Context, r wire.PasswordSignIn) (StartedSession, error) {
	return sendFetch[StartedSession](ctx, c, http.MethodPost, "/sessions/password", r)
}

// IdentityProvider returns the name of the provider by which people sign in, "" without one.
func (c *Client) IdentityProvider(ctx context.Context) (string, error) {
	provider, err := fetch[wire.IdentityProvider](ctx, c, get("/sessions/oidc", nil))
	return provider.Name, err
}

// BeginProviderSignIn begins a sign-in at the provider, which sends the browser back to redirect.
func (c *Client) BeginProviderSignIn(ctx context.Context, redirect string) (wire.ProviderSignInBegun, error) {
	return sendFetch[wire.ProviderSignInBegun](ctx, c, http.MethodPost, "/sessions/oidc/begin", wire.BeginProviderSignIn{Redirect: redirect})
}

// ProviderSignIn begins a session by what the provider answered.
func (c *Client) ProviderSignIn(ctx context.Context, r wire.ProviderSignIn) (StartedSession, error) {
	return sendFetch[StartedSession](ctx, c, http.MethodPost, "/sessions/oidc", r)
}
