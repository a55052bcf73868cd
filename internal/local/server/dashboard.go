package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
)

// firstOwner is the name of the person who is there from the start.
const firstOwner = "owner"

// dashboardURL returns where people sign in: over HTTPS where that is served.
func (a *app) dashboardURL() string {
	if url := a.adminURL(); url != "" {
		return url + api.PagesPath
	}
	return apiURL(a.api) + api.PagesPath
}

// signInURL returns a link that signs the oldest owner in once.
func (a *app) signInURL(ctx context.Context) (string, error) {
	machine := access.Actor{Kind: access.KindToken, Name: "this machine", Role: anchor.RoleOwner}
	_, link, err := a.core.Access.SignInLink(ctx, machine, "me")
	if err != nil {
		return "", err
	}
	return a.dashboardURL() + "/sign-in?link=" + link.Secret, nil
}

// isSecure reports whether a request came over HTTPS, here or at a trusted proxy.
func (a *app) isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return false
	}
	return slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}
