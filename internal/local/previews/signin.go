package previews

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// A visitor of a preview that is protected by Anchor's sign-in comes by this way:
//
//  1. The preview's host sets a cookie with a nonce, and redirects the browser to the dashboard with a ticket: the
//     address that was asked for and the digest of the nonce, authenticated with the project's key.
//  2. The dashboard, which the visitor has signed in to, exchanges the ticket for a code (Admit).
//  3. The host takes the code once, from the browser with the nonce, and sets a cookie that names the session.
//
// Each request then asks whether this session lasts and its person has a role in the project.

// How long a visitor may take to sign in, and a browser to bring the code.
const (
	ticketLife = 15 * time.Minute
	codeLife   = time.Minute
)

// mostCodes is how many codes wait at a time; one more is refused.
const mostCodes = 10_000

// longestNext is the longest address, in bytes, to which a visitor returns. Others get the first page.
const longestNext = 2048

// ticket is what the dashboard gets to know of a request that was refused.
type ticket struct {
	Origin    string `json:"origin"` // scheme, host and port as the browser has them
	Next      string `json:"next"`
	Challenge string `json:"challenge"` // SHA-256 of the nonce, in base64url
	Until     int64  `json:"until"`     // Unix seconds
}

// visit is what the cookie of an admitted visitor says.
type visit struct {
	Host    string `json:"host"`
	Session string `json:"session"`
	Until   int64  `json:"until"` // Unix seconds
}

// code is a ticket that a session was admitted with.
type code struct {
	project anchor.ProjectID
	ticket
	session string
	until   time.Time
}

// codes are those that were not taken yet, by the SHA-256 of the code. A restart forgets them: the visitor
// begins again.
type codes struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]code
}

func (c *codes) put(text string, one code, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.all, func(_ [sha256.Size]byte, old code) bool { return !now.Before(old.until) })
	if len(c.all) >= mostCodes {
		return (&anchor.Error{Kind: anchor.KindBusy, Code: "too_many_visitors", Message: "too many people are opening previews"}).
			Hintf("Try again in a minute.")
	}
	if c.all == nil {
		c.all = map[[sha256.Size]byte]code{}
	}
	c.all[sha256.Sum256([]byte(text))] = one
	return nil
}

// take returns a code once.
func (c *codes) take(text string) (one code, found bool) {
	sum := sha256.Sum256([]byte(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	one, found = c.all[sum]
	delete(c.all, sum)
	return one, found
}

// Admit returns the address that brings the browser of a session, whose person may see the previews of the project,
// back to the preview that made the ticket. It holds for a minute, once, and in the browser that asked for the preview.
func (s *Service) Admit(_ context.Context, p anchor.ProjectID, session, sealed string) (string, error) {
	s.mu.Lock()
	one, found := s.all[p]
	s.mu.Unlock()
	var t ticket
	if !found || !one.SignIn || !one.open(p, "ticket", sealed, &t) || !s.Now().Before(time.Unix(t.Until, 0)) {
		return "", anchor.Invalid("bad_ticket", "this address does not lead to a preview any more").
			Hintf("Open the preview again.")
	}
	text := base64.RawURLEncoding.EncodeToString(random(32))
	err := s.codes.put(text, code{project: p, ticket: t, session: session, until: s.Now().Add(codeLife)}, s.Now())
	return t.Origin + accessPath + "?code=" + text, err
}

// seal returns what as a text that only this project can make, for one kind of use.
func (one protection) seal(p anchor.ProjectID, kind string, what any) string {
	content, _ := json.Marshal(what) // of strings and numbers
	text := base64.RawURLEncoding.EncodeToString(content)
	return text + "." + one.sign(p, kind, text)
}

// open reads what seal returned, and reports whether it did.
func (one protection) open(p anchor.ProjectID, kind, sealed string, what any) bool {
	text, signature, _ := strings.Cut(sealed, ".")
	if !hmac.Equal([]byte(signature), []byte(one.sign(p, kind, text))) {
		return false
	}
	content, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(content, what) == nil
}

func (one protection) sign(p anchor.ProjectID, kind, text string) string {
	mac := hmac.New(sha256.New, one.Key)
	mac.Write([]byte(string(p) + "\x00" + kind + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// The cookies of a visitor who signs in. Over HTTPS their names begin with __Host-, so that no other host of the base
// domain can set them (RFC 6265bis, section 4.1.3.2).
const (
	nonceCookie = "anchor_preview_nonce"
	visitCookie = "anchor_preview_visit"
	hostPrefix  = "__Host-"
)

func cookieNamed(name string, secure bool) string {
	if secure {
		return hostPrefix + name
	}
	return name
}

func newCookie(name, value string, secure bool, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: cookieNamed(name, secure), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}

// isVisitor reports whether a request has the cookie of a session that lasts, of somebody who may see the previews.
func (g *gate) isVisitor(r *http.Request, secure bool) (bool, error) {
	for _, c := range r.CookiesNamed(cookieNamed(visitCookie, secure)) {
		var v visit
		if g.SignIn && g.open(g.project, "visit", c.Value, &v) && v.Host == strings.ToLower(r.Host) && g.now().Before(time.Unix(v.Until, 0)) {
			return g.people(r.Context(), v.Session, g.project)
		}
	}
	return false, nil
}

// sendToSignIn lets a browser sign in, after which it comes back. nonce is the one that it has, if any.
func (g *gate) sendToSignIn(w http.ResponseWriter, r *http.Request, secure bool, nonce string) {
	if nonce == "" {
		nonce = base64.RawURLEncoding.EncodeToString(random(32))
	}
	http.SetCookie(w, newCookie(nonceCookie, nonce, secure, ticketLife))
	next := localTarget(r.URL.RequestURI())
	if len(next) > longestNext {
		next = "/"
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	t := ticket{
		Origin: scheme + "://" + strings.ToLower(r.Host), Next: next, Challenge: challengeOf(nonce), Until: g.now().Add(ticketLife).Unix(),
	}
	query := url.Values{"project": {string(g.project)}, "ticket": {g.seal(g.project, "ticket", t)}}
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Accept, Cookie, "+headerBypass)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", g.signInAt+"?"+query.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// nonceOf returns the nonce of a browser that began already, in another tab, "" without one.
func (g *gate) nonceOf(r *http.Request, secure bool) string {
	c, err := r.Cookie(cookieNamed(nonceCookie, secure))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(32) {
		return ""
	}
	return c.Value
}

func challengeOf(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// takeCode ends a sign-in. The code is used up whatever comes.
func (g *gate) takeCode(w http.ResponseWriter, r *http.Request, secure bool, nonce string, admitted bool) {
	one, found := g.codes.take(r.URL.Query().Get("code"))
	_, host, _ := strings.Cut(one.Origin, "://")
	switch {
	case found && one.project == g.project && host == strings.ToLower(r.Host) && g.now().Before(one.until) &&
		nonce != "" && challengeOf(nonce) == one.Challenge:
		v := visit{Host: host, Session: one.session, Until: g.now().Add(cookieLife).Unix()}
		http.SetCookie(w, newCookie(visitCookie, g.seal(g.project, "visit", v), secure, cookieLife))
	case admitted: // the page that brought the code was loaded again
		one.Next = "/"
	default:
		g.refuseVisitor(w, r, http.StatusUnauthorized, "This address works once, within a minute, and in the browser that opened the preview.")
		return
	}
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", localTarget(one.Next))
	w.WriteHeader(http.StatusSeeOther)
}
