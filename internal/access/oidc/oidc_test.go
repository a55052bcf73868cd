package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/access/oidc"
	"github.com/anchor-deploy/anchor/internal/access/oidc/oidctest"
	"github.com/anchor-deploy/anchor/internal/anchor"
)

const redirect = "https://anchor.example.com/dashboard/sign-in/oidc/callback"

func providerWith(t *testing.T, users ...oidctest.User) (*oidctest.Provider, *oidc.Provider) {
	t.Helper()
	real := oidctest.New(t, users...)
	real.Register(redirect)
	return real, oidc.New(oidc.Config{Issuer: real.Issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret})
}

// code begins a sign-in and returns the code at its end.
func code(t *testing.T, real *oidctest.Provider, p *oidc.Provider, user string) (code string, flow json.RawMessage) {
	t.Helper()
	to, flow, err := p.Begin(t.Context(), redirect, "the state")
	if err != nil {
		t.Fatal(err)
	}
	back := real.SignIn(t, to, user)
	if !strings.HasPrefix(back.String(), redirect) || back.Query().Get("state") != "the state" {
		t.Fatalf("the provider leads to %s", back)
	}
	return back.Query().Get("code"), flow
}

func TestProvider_SignIn(t *testing.T) {
	real, p := providerWith(t, oidctest.User{ID: "1", Name: "Ada", Email: "Ada@example.com"}, oidctest.User{ID: "2", Name: "Bob", Email: "bob@example.com", Unverified: true})
	for _, want := range []anchor.Claims{
		{Identity: anchor.Identity{Issuer: real.Issuer, Subject: "1"}, Email: "Ada@example.com", EmailVerified: true, Name: "Ada Example"},
		{Identity: anchor.Identity{Issuer: real.Issuer, Subject: "2"}, Email: "bob@example.com", Name: "Bob Example"},
	} {
		name, _, _ := strings.Cut(want.Name, " ")
		code, flow := code(t, real, p, name)
		claims, err := p.Finish(t.Context(), redirect, flow, code)
		if err != nil || claims != want {
			t.Errorf("%s has %+v, %v", name, claims, err)
		}
		if _, err := p.Finish(t.Context(), redirect, flow, code); anchor.CodeOf(err) != "not_confirmed" {
			t.Errorf("the code is accepted once more: %v", err)
		}
	}
	if p.Name() != "127.0.0.1" {
		t.Errorf("it is called %s", p.Name())
	}
}

func TestProvider_RefusesAnswersOfOtherFlows(t *testing.T) {
	real, p := providerWith(t, oidctest.User{ID: "1", Name: "Ada", Email: "ada@example.com"})
	for name, change := range map[string]func(flow map[string]string){
		"another verifier": func(f map[string]string) { f["verifier"] = strings.Repeat("x", 43) },
		"another nonce":    func(f map[string]string) { f["nonce"] = "x" },
	} {
		code, flow := code(t, real, p, "Ada")
		var fields map[string]string
		if err := json.Unmarshal(flow, &fields); err != nil {
			t.Fatal(err)
		}
		change(fields)
		changed, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if claims, err := p.Finish(t.Context(), redirect, changed, code); anchor.CodeOf(err) != "not_confirmed" {
			t.Errorf("%s: %+v, %v", name, claims, err)
		}
	}
	other := oidc.New(oidc.Config{Issuer: real.Issuer, ClientID: oidctest.ClientID, ClientSecret: "wrong"})
	code, flow := code(t, real, other, "Ada")
	if _, err := other.Finish(t.Context(), redirect, flow, code); anchor.CodeOf(err) != "not_confirmed" {
		t.Errorf("a wrong secret: %v", err)
	}
}

// TestProvider_RotatesKeys signs in before and after the provider has changed its key.
func TestProvider_RotatesKeys(t *testing.T) {
	real, p := providerWith(t, oidctest.User{ID: "1", Name: "Ada", Email: "ada@example.com"})
	for range 2 {
		code, flow := code(t, real, p, "Ada")
		if _, err := p.Finish(t.Context(), redirect, flow, code); err != nil {
			t.Error(err)
		}
		real.RotateKey(t)
	}
}

// TestProvider_Unreachable asks a provider that is down, and again when it is up.
func TestProvider_Unreachable(t *testing.T) {
	up := false
	var issuer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		})
	}))
	defer server.Close()
	issuer = server.URL
	p := oidc.New(oidc.Config{Issuer: issuer, ClientID: "anchor"})
	if _, _, err := p.Begin(t.Context(), redirect, "x"); anchor.CodeOf(err) != "provider_unreachable" || anchor.KindOf(err) != anchor.KindBusy || !strings.Contains(anchor.HintOf(err), issuer+"/.well-known") {
		t.Errorf("%v %s", err, anchor.HintOf(err))
	}
	up = true
	if to, _, err := p.Begin(t.Context(), redirect, "x"); err != nil || !strings.HasPrefix(to, issuer+"/authorize?") {
		t.Errorf("%s %v", to, err)
	}
	issuer = "https://other.example.com"
	other := oidc.New(oidc.Config{Issuer: server.URL, ClientID: "anchor"})
	if _, _, err := other.Begin(t.Context(), redirect, "x"); anchor.CodeOf(err) != "provider_unreachable" {
		t.Errorf("a provider with another issuer: %v", err)
	}
}
