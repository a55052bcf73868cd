// Package oidctest runs an OpenID provider for tests: the example of zitadel/oidc, whose library is certified by the
// OpenID Foundation. It has a page to sign in with a name and a password.
package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The client that is registered, and the password of everybody.
const (
	ClientID     = "anchor"
	ClientSecret = "a secret of the client"
	Password     = "verysecure"
)

// User is an account at the provider.
type User struct {
	ID, Name, Email string
	Unverified      bool // the e-mail address
}

// Provider is a running provider.
type Provider struct {
	Issuer string

	users   users
	clients map[string]*storage.Client

	mu   sync.Mutex
	keys []key // the last one signs
}

// New starts a provider that ends with the test. It has no client until Register.
func New(t testing.TB, all ...User) *Provider {
	t.Helper()
	p := &Provider{users: users{}, clients: map[string]*storage.Client{}}
	for _, u := range all {
		p.users[u.ID] = &storage.User{ID: u.ID, Username: u.Name, Password: Password, FirstName: u.Name, LastName: "Example", Email: u.Email, EmailVerified: !u.Unverified}
	}
	p.RotateKey(t)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	p.Issuer = server.URL + "/"
	records := rotating{storage.NewStorageWithClients(p.users, p.clients), p}
	logs := slog.Default() // the example replaces it
	handler = exampleop.SetupServer(p.Issuer, records, slog.New(slog.DiscardHandler), false, op.WithAllowInsecure())
	slog.SetDefault(logs)
	return p
}

// Register makes the provider send browsers back to redirect. It must not be called while somebody signs in.
func (p *Provider) Register(redirect string) {
	p.clients[ClientID] = storage.WebClient(ClientID, ClientSecret, redirect)
}

// SignIn does what a browser does that opens to: it signs the user in on the page of the provider. It returns the
// address at which the browser arrives, at the redirect that is registered, without opening it.
func (p *Provider) SignIn(t testing.TB, to, name string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := url.Parse(p.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != provider.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	form := url.Values{"username": {name}, "password": {Password}, "id": {res.Request.URL.Query().Get("authRequestID")}}
	if res, err = browser.PostForm(p.Issuer+"login/username", form); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("the provider answers %s: %v", res.Status, err)
	}
	return back
}

// RotateKey makes a new key sign. Those before are still published.
func (p *Provider) RotateKey(t testing.TB) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, key{rand.Text(), private})
}

// users implements storage.UserStore.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User { return u[id] }

func (u users) GetUserByUsername(name string) *storage.User {
	for _, one := range u {
		if one.Username == name {
			return one
		}
	}
	return nil
}

func (u users) ExampleClientID() string { return ClientID }

// rotating is a storage whose key changes.
type rotating struct {
	*storage.Storage
	of *Provider
}

func (r rotating) SigningKey(context.Context) (op.SigningKey, error) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	return r.of.keys[len(r.of.keys)-1], nil
}

func (r rotating) KeySet(context.Context) (all []op.Key, err error) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	for _, k := range slices.Backward(r.of.keys) {
		all = append(all, publicKey{k})
	}
	return all, nil
}

// key implements op.SigningKey.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k key) Key() any                                    { return k.private }
func (k key) ID() string                                  { return k.id }

// publicKey implements op.Key.
type publicKey struct{ of key }

func (k publicKey) ID() string                         { return k.of.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.of.private.PublicKey }
