package dashboard

import (
	"net/http"
	"net/url"
	"time"
)

// PreviewPath is the path below that of the pages to which a protected preview sends its visitors. They come back with
// what shows the preview that they may see it (internal/local/previews).
const PreviewPath = "/preview-access"

// The names of the cookie that keeps a visit of a preview while somebody signs in, see secureCookie.
const (
	secureVisitCookie = "__Host-anchor-visit"
	plainVisitCookie  = "anchor-visit"
)

// visitTime is how long somebody may take to sign in. The ticket of the preview lasts as long.
const visitTime = 15 * time.Minute

func (d *Dashboard) visitRoutes(mux *routes) {
	mux.HandleFunc("GET "+root+PreviewPath, d.visitPreview)
}

func (d *Dashboard) visitCookie(r *http.Request) *http.Cookie {
	return d.newCookie(r, secureVisitCookie, plainVisitCookie)
}

// visitPreview brings somebody who is signed in back to a preview, and others after they have signed in. The page
// leads there by a header, not by a redirect: browsers refuse one to another host after the form to sign in
// (Content Security Policy Level 3, form-action).
func (d *Dashboard) visitPreview(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := d.visitCookie(r)
	c.Value, c.MaxAge = url.Values{"project": {q.Get("project")}, "ticket": {q.Get("ticket")}}.Encode(), int(visitTime/time.Second)
	http.SetCookie(w, c)
	in, ok := d.enter(w, r)
	if !ok {
		return
	}
	w.Header().Del("Set-Cookie")
	to, err := in.api.VisitPreview(r.Context(), q.Get("project"), q.Get("ticket"))
	if err != nil {
		d.fail(w, r, in.me, err)
		return
	}
	w.Header().Set("Refresh", "0; url="+to)
	d.render(w, r, http.StatusOK, bare("Preview", openPreviewPage(to)))
}

// continueVisit brings somebody who has signed in to see a preview back to it, in place of the first page.
func (d *Dashboard) continueVisit(first http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := d.visitCookie(r)
		kept, err := r.Cookie(c.Name)
		if err != nil || d.sessionOf(r) == "" || r.Header.Get("Accept") == "text/event-stream" {
			first(w, r)
			return
		}
		c.MaxAge = -1
		http.SetCookie(w, c)
		q, err := url.ParseQuery(kept.Value)
		if err != nil {
			first(w, r)
			return
		}
		http.Redirect(w, r, root+PreviewPath+"?"+url.Values{"project": {q.Get("project")}, "ticket": {q.Get("ticket")}}.Encode(), http.StatusSeeOther)
	}
}
