package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type wireMe = wire.Me

// view is what a page shows.
type view struct {
	Title   string
	Section string          // the entry of the navigation that is marked
	Project *wire.Project   // whose navigation is shown; nil for none
	Live    templ.Component // what is kept up to date while the page is open
	Rest    templ.Component // what is not: forms
	Scripts []string        // in addition to app.js
	Styles  []string
	Every   time.Duration // between two looks at what Live shows; 0: Config.Refresh

	me       wireMe
	signedIn bool
	notice   string
	path     string
}

// bare is a page for somebody who is not signed in.
func bare(title string, body templ.Component) view { return view{Title: title, Rest: body} }

// request is a request of somebody who is signed in.
type request struct {
	*http.Request
	api *client.Client
	me  wireMe
}

// project returns the project of the path.
func (r request) project() (wire.Project, error) {
	return r.api.Project(r.Context(), r.PathValue("project"))
}

// inProject makes a page or an action of one of the project in the path.
func inProject[T any](do func(request, wire.Project) (T, error)) func(request) (T, error) {
	return func(r request) (T, error) {
		p, err := r.project()
		if err != nil {
			var none T
			return none, err
		}
		return do(r, p)
	}
}

// may reports whether the person may do in the project what needs the scope. The API decides; this hides buttons.
func (r request) may(p wire.Project, needs anchor.Scope) bool { return r.me.RoleIn(p.ID).Allows(needs) }

// require returns an error for a page that asks before a change that the person may not make.
func (r request) require(p wire.Project, needs anchor.Scope) error {
	if r.may(p, needs) {
		return nil
	}
	e := &anchor.Error{Kind: anchor.KindForbidden, Code: "role_too_small", Message: r.me.Name + " may not do this in the project " + p.Slug}
	return e.Hintf("Ask an admin for the role %s.", anchor.RoleOf(needs))
}

// page answers with the page that show describes, or, when the script of the page asks, with a stream of its live
// part as it changes.
func (d *Dashboard) page(show func(request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, ok := d.enter(w, r)
		if !ok {
			return
		}
		if r.Header.Get("Accept") == "text/event-stream" {
			d.streamPage(w, in, show)
			return
		}
		v, err := show(in)
		if err != nil {
			d.fail(w, r, in.me, err)
			return
		}
		v.me, v.signedIn, v.notice, v.path = in.me, true, notices[r.URL.Query().Get("done")], r.URL.Path
		d.render(w, r, http.StatusOK, v)
	}
}

// action performs a change and answers with a redirect to the page that it returns.
func (d *Dashboard) action(do func(request) (to string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, ok := d.enter(w, r)
		if !ok {
			return
		}
		if err := r.ParseForm(); err != nil {
			d.fail(w, r, in.me, anchor.Invalid("bad_form", "the form cannot be read").Because(err).Hintf("Go back and send it again."))
			return
		}
		to, err := do(in)
		if err != nil {
			d.fail(w, r, in.me, err)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// enter finds out who makes a request. It answers itself, with the page to sign in, when nobody is signed in.
func (d *Dashboard) enter(w http.ResponseWriter, r *http.Request) (request, bool) {
	in := request{Request: r, api: d.client(r)}
	if d.sessionOf(r) == "" {
		http.Redirect(w, r, root+"/sign-in", http.StatusSeeOther)
		return in, false
	}
	var err error
	if in.me, err = in.api.Me(r.Context()); anchor.KindOf(err) == anchor.KindUnauthorized && err != nil {
		d.clearSession(w, r)
		http.Redirect(w, r, root+"/sign-in", http.StatusSeeOther)
		return in, false
	}
	if err != nil {
		d.fail(w, r, wireMe{}, err)
		return in, false
	}
	return in, true
}

// notices are the messages after an action, by the value of "done". A text in the address could be anybody's.
var notices = map[string]string{
	"created": "The project was created.", "promoted": "The deployment is live.", "rolledback": "The project was rolled back.",
	"canceled": "The deployment was canceled.", "redeployed": "The deployment was started.", "domain-added": "The domain was added. Set the DNS records that it shows.",
	"domain-removed": "The domain is being removed.", "env-set": "The variable was set. It takes effect with the next deployment.",
	"env-imported": "The variables of the file were set. They take effect with the next deployment.",
	"env-removed":  "The variable was removed. Deployments keep the variables that they were deployed with.",
	"limits-set":   "The limits were stored and apply now.", "deleted": "The project is deleted.", "purged": "Stored answers were removed.",
	"person-set": "The roles were stored.", "person-removed": "The person was removed.", "revoked": "The token was revoked.",
	"session-ended": "The session was ended.", "passkey-added": "The passkey was added. You can sign in by it now.", "passkey-removed": "The passkey was removed.",
	"split-started": "The deployment gets its share of the traffic now.", "split-moved": "The share was changed.", "split-canceled": "All traffic reaches the live deployment again.",
	"cron-started": "The cron was started.", "cron-paused": "The cron is paused.", "cron-resumed": "The cron runs on its schedule again.",
	"protected": "Previews ask for the password now.", "unprotected": "Previews can be seen by everybody now.", "approved": "The commit of the pull request is being built.",
	"alert-tested": "The test message was sent.", "alert-removed": "The channel was removed.", "alert-added": "The channel was added. Send a test message to see that it works.",
	"drain-added": "The drain was added. Send a test line to see that it works.", "drain-tested": "The test line was sent.", "drain-removed": "The drain was removed.",
	"backup-made": "The records were copied.", "backup-verified": "The copy is whole and can replace the records.", "retention-set": "Which previews are kept was stored.",
	"checked": "The DNS was asked again.", "domain-set": "The domain was changed.", "domain-moved": "The domain belongs to this project now.",
	"connected": "The repository is connected.", "disconnected": "The repository is not connected any more.", "host-key-forgotten": "The next clone accepts the key that the SSH server has then.",
	"password-set": "The password works now, with a code of your authenticator app.", "password-removed": "The password was removed.",
}

func (d *Dashboard) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	var page bytes.Buffer
	if err := layout(v, d.Version).Render(r.Context(), &page); err != nil {
		d.Log.ErrorContext(r.Context(), "render a page", "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be rendered. See the log of the server.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the client may be gone
}

// problem is an error as a page shows it.
type problem struct{ Message, Hint string }

func describeProblem(err error) problem { return problem{err.Error(), anchor.HintOf(err)} }

// statusOf returns the status of a page for an error of the API.
func statusOf(err error) int {
	switch anchor.KindOf(err) {
	case anchor.KindInvalid:
		return http.StatusBadRequest
	case anchor.KindUnauthorized:
		return http.StatusUnauthorized
	case anchor.KindForbidden:
		return http.StatusForbidden
	case anchor.KindNotFound:
		return http.StatusNotFound
	case anchor.KindConflict:
		return http.StatusConflict
	case anchor.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case anchor.KindBusy:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, me wireMe, err error) {
	status := statusOf(err)
	v := view{Title: http.StatusText(status), Rest: problemPage(http.StatusText(status), describeProblem(err)), me: me, signedIn: me.ID != ""}
	d.render(w, r, status, v)
}

func (d *Dashboard) notFound(w http.ResponseWriter, r *http.Request) {
	in, ok := d.enter(w, r)
	if !ok {
		return
	}
	d.fail(w, r, in.me, anchor.NotFound("no_such_page", "the dashboard has no page %s", r.URL.Path).Hintf("Choose a page from the navigation."))
}

// streamPage sends the live part of a page as server-sent events, first and whenever it has changed, until the
// client closes. An error ends the stream; the script then loads the page, which reports it.
func (d *Dashboard) streamPage(w http.ResponseWriter, in request, show func(request) (view, error)) {
	out := beginStream(w)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for sent := ""; ; {
		v, err := show(in)
		if err != nil || v.Live == nil {
			out.send("end", "")
			return
		}
		html, err := htmlOf(in.Context(), v.Live)
		if err != nil {
			d.Log.ErrorContext(in.Context(), "render a page", "path", in.URL.Path, "error", err)
			return
		}
		if html != sent {
			sent = html
			out.send("live", html)
		} else {
			out.comment()
		}
		if out.err != nil {
			return
		}
		pause.Reset(max(d.Refresh, v.Every))
		select {
		case <-pause.C:
		case <-in.Context().Done():
			return
		}
	}
}

func htmlOf(ctx context.Context, c templ.Component) (string, error) {
	var b bytes.Buffer
	err := c.Render(ctx, &b)
	return b.String(), err
}

// stream writes server-sent events (HTML Living Standard, §9.2) whose data is a JSON string. The first error sticks.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func beginStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, control: http.NewResponseController(w)}
}

func (s *stream) send(event, html string) {
	data, err := json.Marshal(html)
	s.write("event: %s\ndata: %s\n\n", event, data)
	s.err = errors.Join(s.err, err)
}

func (s *stream) comment() { s.write(": still here\n\n") }

func (s *stream) write(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format, args...)
	}
	if s.err == nil {
		s.err = s.control.Flush()
	}
}

// address builds the path of a page from parts, which it escapes.
func address(parts ...string) string {
	path := root
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func projectAddress(p wire.Project, parts ...string) string {
	return address(append([]string{"projects", p.Slug}, parts...)...)
}

func done(to, what string) string { return to + "?done=" + what }
