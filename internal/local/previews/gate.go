package previews

import (
	"cmp"
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	// headerBypass has the bypass token. The same name serves as a parameter of the query.
	headerBypass = "X-Anchor-Protection-Bypass"
	// headerSetCookie asks for a cookie in return for a bypass token, for browsers of tests.
	headerSetCookie = "X-Anchor-Set-Bypass-Cookie"
	cookieName      = "anchor_preview"
	accessPath      = "/_anchor/preview-access" // takes the form
)

// cookieLife is how long a browser need not ask for the password again.
const cookieLife = 7 * 24 * time.Hour

// attemptsAtATime is how many passwords of a project are checked at a time: each takes a core for a while.
const attemptsAtATime = 2

// gate decides about requests to the previews of a project.
type gate struct {
	project anchor.ProjectID
	protection
	now      func() time.Time
	attempts chan struct{}
	people   MayVisit
	signInAt string
	codes    *codes
}

func (s *Service) newGate(p anchor.ProjectID, one protection) *gate {
	return &gate{
		project: p, protection: one, now: s.Now, attempts: make(chan struct{}, attemptsAtATime),
		people: s.MayVisit, signInAt: s.SignInAt, codes: &s.codes,
	}
}

// refuse implements Refuse.
func (g *gate) refuse(w http.ResponseWriter, r *http.Request, secure bool) bool {
	admitted, bypassed := g.isAdmitted(r)
	visitor, err := g.isVisitor(r, secure)
	nonce := g.nonceOf(r, secure)
	ask := cleanRequest(r)
	switch {
	case err != nil:
		g.refuseVisitor(w, r, http.StatusServiceUnavailable, "Anchor cannot find out now whether you may see this preview. Try again in a moment.")
		return true
	case r.URL.Path == accessPath && r.Method == http.MethodPost && g.Password != nil:
		g.takePassword(w, r, secure)
		return true
	case r.URL.Path == accessPath && g.SignIn:
		g.takeCode(w, r, secure, nonce, visitor || bypassed)
		return true
	case !admitted && !visitor && !bypassed && g.SignIn && wantsPage(r):
		g.sendToSignIn(w, r, secure, nonce)
		return true
	case !admitted && !visitor && !bypassed:
		g.refuseVisitor(w, r, http.StatusUnauthorized, "")
		return true
	case bypassed && ask != "":
		g.setCookie(w, secure, ask)
	}
	return false
}

// wantsPage reports whether a request is one of a browser for a page.
func wantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isAdmitted reports whether a request proves that its sender may see the previews: by the cookie, or
// by the bypass token.
func (g *gate) isAdmitted(r *http.Request) (admitted, bypassed bool) {
	for _, c := range r.CookiesNamed(cookieName) {
		admitted = admitted || g.isCookie(c.Value)
	}
	token := r.Header.Get(headerBypass)
	if token == "" && strings.Contains(strings.ToLower(r.URL.RawQuery), "x-anchor-protection-bypass") {
		token = r.URL.Query().Get(strings.ToLower(headerBypass))
	}
	return admitted, token != "" && g.isBypass(token)
}

// cleanRequest removes what is for the gate, so that the app does not see it, and returns the value of
// headerSetCookie.
func cleanRequest(r *http.Request) (ask string) {
	ask = r.Header.Get(headerSetCookie)
	if strings.Contains(strings.ToLower(r.URL.RawQuery), "x-anchor-") {
		query := r.URL.Query()
		if ask == "" {
			ask = query.Get(strings.ToLower(headerSetCookie))
		}
		query.Del(strings.ToLower(headerBypass))
		query.Del(strings.ToLower(headerSetCookie))
		u := *r.URL
		u.RawQuery = query.Encode()
		r.URL, r.RequestURI = &u, u.RequestURI()
	}
	r.Header.Del(headerBypass)
	r.Header.Del(headerSetCookie)
	if strings.Contains(r.Header.Get("Cookie"), cookieName) || len(r.Header["Cookie"]) > 1 {
		removeCookie(r)
	}
	return ask
}

func removeCookie(r *http.Request) {
	var kept []string
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if name, _, _ := strings.Cut(part, "="); part != "" && !isOwn(strings.TrimSpace(name)) {
				kept = append(kept, part)
			}
		}
	}
	r.Header.Del("Cookie")
	if len(kept) > 0 {
		r.Header.Set("Cookie", strings.Join(kept, "; "))
	}
}

// isOwn reports whether a cookie is for the gate.
func isOwn(name string) bool {
	name = strings.TrimPrefix(name, hostPrefix)
	return name == cookieName || name == nonceCookie || name == visitCookie
}

// takePassword answers the form.
func (g *gate) takePassword(w http.ResponseWriter, r *http.Request, secure bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		g.refuseVisitor(w, r, http.StatusBadRequest, "The form could not be read.")
		return
	}
	select {
	case g.attempts <- struct{}{}:
		defer func() { <-g.attempts }()
	case <-time.After(2 * time.Second):
		w.Header().Set("Retry-After", "2")
		g.refuseVisitor(w, r, http.StatusTooManyRequests, "Too many people are entering passwords. Try again in a moment.")
		return
	case <-r.Context().Done():
		return
	}
	if !g.isPassword(r.PostForm.Get("password")) {
		pause(r.Context())
		g.refuseVisitor(w, r, http.StatusUnauthorized, "This is not the password.")
		return
	}
	g.setCookie(w, secure, "true")
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Location", localTarget(r.PostForm.Get("next")))
	w.WriteHeader(http.StatusSeeOther)
}

// pause makes guessing slow.
func pause(ctx context.Context) {
	select {
	case <-time.After(250 * time.Millisecond):
	case <-ctx.Done():
	}
}

// localTarget returns a path of this host that a browser reads as one (WHATWG URL: a backslash counts as
// a slash).
func localTarget(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || u.Path == accessPath {
		return "/"
	}
	return next
}

// setCookie sets the cookie by which a browser is admitted from now on. ask "samesitenone" is for
// previews in a frame of another site.
func (g *gate) setCookie(w http.ResponseWriter, secure bool, ask string) {
	until := strconv.FormatInt(g.now().Add(cookieLife).Unix(), 10)
	c := newCookie(cookieName, until+"."+g.sign(g.project, "cookie", until), false, cookieLife)
	c.Secure = secure
	if strings.EqualFold(ask, "samesitenone") && secure { // browsers take None over HTTPS only
		c.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, c)
}

func (g *gate) isCookie(value string) bool {
	until, signature, _ := strings.Cut(value, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	return err == nil && hmac.Equal([]byte(signature), []byte(g.sign(g.project, "cookie", until))) && g.now().Before(time.Unix(seconds, 0))
}

// refuseVisitor answers with the form, or a way to begin again, and for programs with problem details (RFC 9457).
func (g *gate) refuseVisitor(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Accept, Cookie, "+headerBypass)
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `AnchorPreview realm="preview"`)
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		how := "enter the password"
		if g.SignIn {
			how = "sign in"
		}
		detail := cmp.Or(wrong, "This preview is protected. Open it in a browser and "+how+", or send a bypass token as "+headerBypass+".")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": "about:blank", "title": http.StatusText(status), "status": status, "code": "preview_protected", "detail": detail,
		})
		return
	}
	next := r.URL.RequestURI()
	if r.URL.Path == accessPath {
		next = r.PostForm.Get("next")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	content := form(localTarget(next), wrong)
	if g.SignIn {
		content = retry(localTarget(next), wrong)
	}
	_, _ = io.WriteString(w, content)
}

// form returns the page that asks for the password.
func form(next, wrong string) string {
	return document(fmt.Sprintf(`<p>Enter the password to see this preview.</p>
%s<form method="post" action="%s"><input type="hidden" name="next" value="%s">
<label>Password <input type="password" name="password" autocomplete="current-password" required autofocus></label>
<button>Continue</button></form>`, alert(wrong), accessPath, html.EscapeString(next)))
}

// retry returns the page for a sign-in that failed.
func retry(next, wrong string) string {
	return document(fmt.Sprintf(`%s<p><a href="%s">Open the preview again</a></p>`, alert(wrong), html.EscapeString(next)))
}

func alert(wrong string) string {
	if wrong == "" {
		return ""
	}
	return `<p class="wrong" role="alert">` + html.EscapeString(wrong) + "</p>\n"
}

func document(body string) string {
	return fmt.Sprintf(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>Protected preview</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:20vh auto 0;padding:0 1rem}input,button{font:inherit;width:100%%;box-sizing:border-box;padding:.5rem;margin-top:.5rem}p.wrong{color:#b00020}</style>
</head><body><h1>Protected preview</h1>%s</body></html>
`, body)
}
