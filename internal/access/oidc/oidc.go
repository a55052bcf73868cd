// Package oidc signs people in at an OpenID provider: by the authorization code flow of OpenID Connect Core 1.0,
// section 3.1, with PKCE (RFC 7636), state and nonce.
package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Config says which provider signs people in, and as what Anchor is registered there.
type Config struct {
	Issuer       string // URL, exactly as the provider writes it
	ClientID     string
	ClientSecret string // "" for a client that has none
	Title        string // what people call the provider; "": the host of the issuer
}

// Provider is an OpenID provider. It is asked for its addresses and keys when they are needed first, so that the
// server starts without it.
type Provider struct {
	config Config
	http   *http.Client

	mu    sync.Mutex
	found *oidc.Provider
}

// New returns the provider of a valid config.
func New(c Config) *Provider {
	if c.Title == "" {
		c.Title = titleOf(c.Issuer)
	}
	return &Provider{config: c, http: &http.Client{Timeout: 10 * time.Second}}
}

func titleOf(issuer string) string {
	if issuer == "https://accounts.google.com" {
		return "Google"
	}
	if u, err := url.Parse(issuer); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return issuer
}

// Name returns what people call the provider.
func (p *Provider) Name() string { return p.config.Title }

// Check returns an error when the provider does not answer now.
func (p *Provider) Check(ctx context.Context) error {
	_, err := p.discover(ctx)
	return err
}

// discover reads the metadata of the provider (OpenID Connect Discovery 1.0, section 4). The error is Busy when they
// cannot be read.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	found, err := oidc.NewProvider(p.client(ctx), p.config.Issuer)
	if err != nil {
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "provider_unreachable", Message: p.Name() + " does not answer as an OpenID provider"}
		return nil, e.Hintf("Check on the server that %s/.well-known/openid-configuration can be read, and that its issuer is the value of --oidc-issuer.",
			strings.TrimSuffix(p.config.Issuer, "/")).Because(err)
	}
	return found, nil
}

// provider returns what discover returned first.
func (p *Provider) provider(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	found, err := p.discover(ctx)
	p.found = found
	return found, err
}

// client returns a context for calls to the provider. Keys are read with the context of the discovery, long after its
// request has ended.
func (p *Provider) client(ctx context.Context) context.Context {
	return oidc.ClientContext(context.WithoutCancel(ctx), p.http)
}

func (p *Provider) oauth(found *oidc.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// flow is what the end of a sign-in needs of its begin.
type flow struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Begin implements access.IdentityProvider.
func (p *Provider) Begin(ctx context.Context, redirect, state string) (to string, begun json.RawMessage, err error) {
	found, err := p.provider(ctx)
	if err != nil {
		return "", nil, err
	}
	f := flow{Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier()} // 256 random bits each
	if begun, err = json.Marshal(f); err != nil {
		return "", nil, err
	}
	return p.oauth(found, redirect).AuthCodeURL(state, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), begun, nil
}

// Finish implements access.IdentityProvider.
func (p *Provider) Finish(ctx context.Context, redirect string, begun json.RawMessage, code string) (anchor.Claims, error) {
	var f flow
	if err := json.Unmarshal(begun, &f); err != nil {
		return anchor.Claims{}, err
	}
	found, err := p.provider(ctx)
	if err != nil {
		return anchor.Claims{}, err
	}
	ctx = p.client(ctx)
	tokens, err := p.oauth(found, redirect).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return anchor.Claims{}, p.unconfirmed(err)
	}
	id, err := p.verify(ctx, found, tokens, f.Nonce)
	if err != nil {
		return anchor.Claims{}, p.unconfirmed(err)
	}
	claims, err := p.claims(ctx, found, tokens, id)
	if err != nil {
		return anchor.Claims{}, p.unconfirmed(err)
	}
	return claims, nil
}

func (p *Provider) unconfirmed(err error) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "not_confirmed", Message: p.Name() + " did not confirm the sign-in"}
	return e.Hintf("Sign in again. If it fails again, the log of the server says why.").Because(err)
}

// verify checks the ID token (OpenID Connect Core 1.0, section 3.1.3.7). Keys that the provider has changed are read again.
func (p *Provider) verify(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, nonce string) (*oidc.IDToken, error) {
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the answer has no ID token")
	}
	id, err := found.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, errors.New("the ID token is of another sign-in")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// profile is what tokens and the UserInfo endpoint say. Some providers send email_verified as a string.
type profile struct {
	Email    string `json:"email"`
	Verified any    `json:"email_verified"`
	Name     string `json:"name"`
}

// claims returns what the ID token says, and the UserInfo endpoint where the token has no e-mail address.
func (p *Provider) claims(ctx context.Context, found *oidc.Provider, tokens *oauth2.Token, id *oidc.IDToken) (anchor.Claims, error) {
	var said profile
	if err := id.Claims(&said); err != nil {
		return anchor.Claims{}, err
	}
	if said.Email == "" && found.UserInfoEndpoint() != "" {
		info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return anchor.Claims{}, err
		}
		if info.Subject != id.Subject { // section 5.3.2
			return anchor.Claims{}, errors.New("the UserInfo endpoint describes another account")
		}
		if err := info.Claims(&said); err != nil {
			return anchor.Claims{}, err
		}
	}
	return anchor.Claims{
		Identity: anchor.Identity{Issuer: id.Issuer, Subject: id.Subject}, Email: said.Email,
		EmailVerified: said.Verified == true || said.Verified == "true", Name: said.Name,
	}, nil
}
