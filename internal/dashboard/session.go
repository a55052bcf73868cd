package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The names of the cookie with the secret of a session. Browsers accept __Host- over HTTPS only, and never from
// another host (RFC 6265bis §4.1.3.2). On loopback there is no HTTPS.
const (
	secureCookie = "__Host-anchor"
	plainCookie  = "anchor"
)

func (d *Dashboard) cookieName(r *http.Request) string {
	if d.Secure(r) {
		return secureCookie
	}
	return plainCookie
}

// sessionOf returns the secret in a request's cookie, "" without one.
func (d *Dashboard) sessionOf(r *http.Request) string {
	c, err := r.Cookie(d.cookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

func (d *Dashboard) setSession(w http.ResponseWriter, r *http.Request, secret string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(r), Value: secret, Path: "/", Expires: expires, HttpOnly: true,
		Secure: d.Secure(r), SameSite: http.SameSiteLaxMode,
	})
}

func (d *Dashboard) clearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(r), Path: "/", MaxAge: -1, HttpOnly: true, Secure: d.Secure(r), SameSite: http.SameSiteLaxMode,
	})
}

// newCookie returns a cookie of the dashboard's host: over HTTPS with the first name, which begins with __Host-, else
// with the second.
func (d *Dashboard) newCookie(r *http.Request, secureName, plainName string) *http.Cookie {
	c := &http.Cookie{Name: plainName, Path: "/", HttpOnly: true, Secure: d.Secure(r), SameSite: http.SameSiteLaxMode}
	if c.Secure {
		c.Name = secureName
	}
	return c
}

// isPrivate reports whether nobody between the browser and the server can read a request: it came over HTTPS, or
// to an address of this machine.
func (d *Dashboard) isPrivate(r *http.Request) bool {
	if d.Secure(r) {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func (d *Dashboard) signInRoutes(mux *routes) {
	mux.HandleFunc("GET "+root+"/sign-in", d.showSignIn)
	mux.HandleFunc("POST "+root+"/sign-in", d.signIn)
	mux.HandleFunc("POST "+root+"/sign-out", d.signOut)
}

// renderSignIn answers with the page to sign in.
func (d *Dashboard) renderSignIn(w http.ResponseWriter, r *http.Request, status int, v signInView) {
	if !v.Insecure {
		v.Provider = d.providerName(r)
	}
	page := bare("Sign in", signInPage(v))
	page.Scripts = []string{"passkey.js"}
	d.render(w, r, status, page)
}

// showSignIn asks before it uses a link up: programs that preview links follow them, and somebody who was sent
// another's link sees whose it is.
func (d *Dashboard) showSignIn(w http.ResponseWriter, r *http.Request) {
	v := signInView{Link: r.FormValue("link"), Insecure: !d.isPrivate(r)}
	status := http.StatusOK
	if v.Link != "" && !v.Insecure {
		name, err := d.client(r).LookAtLink(r.Context(), v.Link)
		v.Name = name
		if err != nil {
			v.Link, v.Problem = "", describeProblem(err)
			status = http.StatusUnauthorized
		}
	}
	d.renderSignIn(w, r, status, v)
}

// signIn begins a session with a secret of its own, whatever cookie the request has, and ends the one that the
// browser had.
func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) {
	if !d.isPrivate(r) {
		d.renderSignIn(w, r, http.StatusForbidden, signInView{Insecure: true})
		return
	}
	session, err := d.client(r).SignIn(r.Context(), r.PostFormValue("link"))
	if err != nil {
		d.renderSignIn(w, r, statusOf(err), signInView{Problem: describeProblem(err)})
		return
	}
	d.begin(w, r, session.Secret, time.UnixMilli(session.ExpiresAt))
	http.Redirect(w, r, root, http.StatusSeeOther)
}

// begin gives the browser a session in place of the one that it had, which ends.
func (d *Dashboard) begin(w http.ResponseWriter, r *http.Request, secret string, expires time.Time) {
	if d.sessionOf(r) != "" {
		_ = d.client(r).EndSession(r.Context(), "me", "current") // it may have ended already
	}
	d.setSession(w, r, secret, expires)
}

func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	err := d.client(r).EndSession(r.Context(), "me", "current")
	if err != nil && anchor.KindOf(err) != anchor.KindUnauthorized && anchor.KindOf(err) != anchor.KindNotFound {
		d.fail(w, r, wireMe{}, err)
		return
	}
	d.clearSession(w, r)
	http.Redirect(w, r, root+"/sign-in", http.StatusSeeOther)
}
