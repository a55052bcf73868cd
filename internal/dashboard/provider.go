package dashboard

import (
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// providerPath begins a sign-in at the identity provider, which sends the browser back to its callback.
const providerPath = root + "/sign-in/oidc"

// The names of the cookie that ties a sign-in to the browser that began it, see secureCookie.
const (
	secureFlowCookie = "__Host-anchor-oidc"
	plainFlowCookie  = "anchor-oidc"
)

// flowTime is how long a sign-in at the provider may take, as in the API.
const flowTime = 5 * time.Minute

func (d *Dashboard) providerRoutes(mux *routes) {
	mux.HandleFunc("GET "+providerPath, d.beginAtProvider)
	mux.HandleFunc("GET "+providerPath+"/callback", d.returnFromProvider)
}

func (d *Dashboard) flowCookie(r *http.Request) *http.Cookie {
	return d.newCookie(r, secureFlowCookie, plainFlowCookie)
}

// beginAtProvider is a GET: the policy of our pages lets forms lead to this server only, redirects included
// (Content Security Policy Level 3, form-action).
func (d *Dashboard) beginAtProvider(w http.ResponseWriter, r *http.Request) {
	if !d.isPrivate(r) {
		d.renderSignIn(w, r, http.StatusForbidden, signInView{Insecure: true})
		return
	}
	begun, err := d.client(r).BeginProviderSignIn(r.Context(), d.origin(r)+providerPath+"/callback")
	if err != nil {
		d.renderSignIn(w, r, statusOf(err), signInView{Problem: describeProblem(err)})
		return
	}
	c := d.flowCookie(r)
	c.Value, c.MaxAge = begun.ID, int(flowTime/time.Second)
	http.SetCookie(w, c)
	http.Redirect(w, r, begun.URL, http.StatusSeeOther)
}

// returnFromProvider ends a sign-in (RFC 6749, section 4.1.2). The cookie is used up whatever comes.
func (d *Dashboard) returnFromProvider(w http.ResponseWriter, r *http.Request) {
	if !d.isPrivate(r) {
		d.renderSignIn(w, r, http.StatusForbidden, signInView{Insecure: true})
		return
	}
	c := d.flowCookie(r)
	began, err := r.Cookie(c.Name)
	c.MaxAge = -1
	http.SetCookie(w, c)
	if err != nil {
		d.renderSignIn(w, r, http.StatusBadRequest, signInView{Problem: problem{"This sign-in did not begin in this browser, or took too long.", "Begin again with the button below."}})
		return
	}
	q := r.URL.Query()
	if code := q.Get("error"); code != "" {
		d.renderSignIn(w, r, http.StatusUnauthorized, signInView{Problem: refusal(code)})
		return
	}
	session, err := d.client(r).ProviderSignIn(r.Context(), wire.ProviderSignIn{ID: began.Value, State: q.Get("state"), Code: q.Get("code")})
	if err != nil {
		d.renderSignIn(w, r, statusOf(err), signInView{Problem: describeProblem(err)})
		return
	}
	d.begin(w, r, session.Secret, time.UnixMilli(session.ExpiresAt))
	http.Redirect(w, r, root, http.StatusSeeOther)
}

// refusal describes an error code of the provider (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
// Its description could be anybody's text, so it is not shown.
func refusal(code string) problem {
	switch code {
	case "access_denied":
		return problem{"You did not let the identity provider sign you in here.", "Begin again, or sign in in another way."}
	case "temporarily_unavailable", "server_error":
		return problem{"The identity provider has a problem of its own.", "Try again in some minutes, or sign in in another way."}
	}
	return problem{"The identity provider refused the sign-in.", "An admin has to check how this server is registered there: its address " + providerPath + "/callback, and the scopes openid, profile and email."}
}

// providerName returns the name of the identity provider for the page to sign in, "" without one. The page is
// useful without.
func (d *Dashboard) providerName(r *http.Request) string {
	name, err := d.client(r).IdentityProvider(r.Context())
	if err != nil && anchor.KindOf(err) != anchor.KindNotFound {
		d.Log.WarnContext(r.Context(), "look for an identity provider", "error", err)
	}
	return name
}
