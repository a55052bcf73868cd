package dashboard

import (
	"net/url"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (d *Dashboard) cacheRoutes(mux *routes) {
	const p = root + "/projects/{project}"
	mux.HandleFunc("GET "+p+"/cache", d.page(inProject(showCache)))
	mux.HandleFunc("POST "+p+"/purge", d.action(inProject(purgeCache)))
}

// cachePage is what a page shows of the stored answers of a project.
type cachePage struct {
	Project wire.Project
	wire.Cache
	Which   wire.PurgeCache // which answers are listed
	Answers []wire.CachedAnswer
	Next    string
}

// filtered reports whether only some answers are listed.
func (c cachePage) filtered() bool { return c.Which != (wire.PurgeCache{}) }

func (c cachePage) next() string {
	return projectAddress(c.Project, "cache") + "?" + url.Values{"prefix": {c.Which.Prefix}, "tag": {c.Which.Tag}, "cursor": {c.Next}}.Encode()
}

func showCache(r request, p wire.Project) (view, error) {
	q := r.URL.Query()
	page := cachePage{Project: p, Which: wire.PurgeCache{Prefix: strings.TrimSpace(q.Get("prefix")), Tag: strings.TrimSpace(q.Get("tag"))}}
	var err error
	if page.Cache, err = r.api.Cache(r.Context(), p.Slug); err != nil {
		return view{}, err
	}
	list, err := r.api.CachedAnswers(r.Context(), p.Slug, page.Which, anchor.Page{Limit: 50, Cursor: q.Get("cursor")})
	if err != nil {
		return view{}, err
	}
	page.Answers, page.Next = list.Items, list.Next
	v := view{Title: "Cache of " + p.Slug, Section: "cache", Project: &p, Live: cacheView(page)}
	if r.may(p, anchor.ScopeDeploy) {
		v.Rest = purgeForm(page)
	}
	return v, nil
}

func purgeCache(r request, p wire.Project) (string, error) {
	which := wire.PurgeCache{URL: strings.TrimSpace(r.PostFormValue("url")), Prefix: strings.TrimSpace(r.PostFormValue("prefix")), Tag: strings.TrimSpace(r.PostFormValue("tag"))}
	if which == (wire.PurgeCache{}) {
		which.Prefix = "/"
	}
	_, err := r.api.PurgeCache(r.Context(), p.Slug, which)
	return done(projectAddress(p, "cache"), "purged"), err
}

// answered returns the share of the requests for a shared cache that it answered, nil without requests.
func answered(c wire.DeploymentCache) *float64 {
	all := c.Hits + c.Stale + c.Misses
	if all == 0 {
		return nil
	}
	share := float64(c.Hits+c.Stale) / float64(all)
	return &share
}
