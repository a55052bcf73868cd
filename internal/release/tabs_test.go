package release_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// history is a list of releases, newest first, read in pages of two.
type history []anchor.Release

func (h history) Releases(_ context.Context, _ anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	at := len(page.Cursor)
	list := anchor.List[anchor.Release]{Items: h[at:min(at+2, len(h))]}
	if at+2 < len(h) {
		list.Next = page.Cursor + ".."
	}
	return list, nil
}

func TestTabsUntil(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	// made returns releases, one each hour from 0 on, in the order in which they happened. A "!" behind
	// the deployment forces a reload; "undo a" is an undo to a.
	made := func(steps ...string) (h history) {
		for i, step := range steps {
			r := anchor.Release{Kind: anchor.ReleaseDeploy, CreatedAt: hour(i).UnixMilli()}
			if len(step) > 5 && step[:5] == "undo " {
				r.Kind, step = anchor.ReleaseUndo, step[5:]
			}
			if n := len(step) - 1; step[n] == '!' {
				r.ForceReload, step = true, step[:n]
			}
			r.Deployment = anchor.DeploymentID(step)
			h = append(history{r}, h...)
		}
		return h
	}
	type until = map[anchor.DeploymentID]time.Time
	for name, c := range map[string]struct {
		releases history
		window   int // hours
		now      int
		want     until
	}{
		"nothing was live":                  {history{}, 24, 0, until{}},
		"one":                               {made("a"), 24, 1, until{}},
		"each from when it ended":           {made("a", "b", "c"), 24, 3, until{"a": hour(25), "b": hour(26)}},
		"over":                              {made("a", "b", "c"), 2, 3, until{"b": hour(4)}},
		"over to the moment":                {made("a", "b"), 1, 2, until{}},
		"turned off":                        {made("a", "b"), 0, 1, until{}},
		"live twice":                        {made("a", "b", "a", "c"), 24, 4, until{"a": hour(27), "b": hour(26)}},
		"live again":                        {made("a", "b", "a"), 24, 3, until{"b": hour(26)}},
		"a reload forced by the last":       {made("a", "b", "c!"), 24, 3, until{}},
		"a reload forced before":            {made("a", "b!", "c", "d"), 24, 4, until{"b": hour(26), "c": hour(27)}},
		"a reload forced for what is again": {made("a", "b!", "a"), 24, 3, until{"b": hour(26)}},
		"a release that was undone":         {made("a", "b", "c!", "undo b"), 24, 4, until{"a": hour(25)}},
		"two that were undone":              {made("a", "b", "c", "undo b", "c", "undo b", "d"), 24, 7, until{"a": hour(25), "b": hour(30)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := release.TabsUntil(t.Context(), c.releases, "p", time.Duration(c.window)*time.Hour, hour(c.now))
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// goLive is deployed with changes to the record.
func (s *stand) goLive(t *testing.T, change func(*anchor.Deployment)) anchor.Deployment {
	t.Helper()
	d := s.record(t, s.project, anchor.Deploying)
	d.Status = anchor.Deployed
	change(&d)
	_, err := s.GoLive(t.Context(), d)
	must(t, err)
	return d
}

// Deployments that open tabs may use are kept, whatever their number, until the time is over or a
// release forces a reload. A build without an id is of no use to tabs.
func TestRetention_Prune_KeepsWhatTabsUse(t *testing.T) {
	for name, c := range map[string]struct {
		ids   []string // of the three builds
		force bool
		later time.Duration
		gone  bool
	}{
		"for a day":                {ids: []string{"a", "b", "c"}},
		"no longer":                {ids: []string{"a", "b", "c"}, later: 25 * time.Hour, gone: true},
		"not after a reload":       {ids: []string{"a", "b", "c"}, force: true, gone: true},
		"not without an id":        {ids: []string{"", "", ""}, gone: true},
		"not with the live one's":  {ids: []string{"a", "b", "a"}, gone: true},
		"not with that of a later": {ids: []string{"a", "a", "c"}, gone: true},
		"whatever id others have":  {ids: []string{"a", "b", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			deployed := func(skewID string) anchor.Deployment {
				return s.goLive(t, func(d *anchor.Deployment) { d.SkewID = skewID })
			}
			old, middle, last := deployed(c.ids[0]), deployed(c.ids[1]), deployed(c.ids[2])
			if c.force {
				_, err := s.Promote(t.Context(), s.project, last.ID, release.ForceReload)
				must(t, err)
			}
			r := s.retention(1)
			r.Tabs, r.Now = 24*time.Hour, func() time.Time { return time.Now().Add(c.later) }
			_, err := r.Prune(t.Context(), s.project)
			must(t, err)
			if gone := s.get(t, old.ID).PrunedAt != 0; gone != c.gone {
				t.Errorf("the oldest is pruned: %v, want %v", gone, c.gone)
			}
			if s.get(t, middle.ID).PrunedAt != 0 || s.get(t, last.ID).PrunedAt != 0 {
				t.Error("the live one or the one before is pruned")
			}
		})
	}
}

func TestService_ForceReload_IsOfOneRelease(t *testing.T) {
	s := newStand(t)
	one := s.deployed(t)
	two := s.goLive(t, func(d *anchor.Deployment) { d.ForceReload = true })
	want := func(what string, force bool) {
		t.Helper()
		live, err := s.Live(t.Context(), s.project)
		must(t, err)
		list, err := s.List(t.Context(), s.project, anchor.Page{})
		must(t, err)
		if live.ForceReload != force || list.Items[0].ForceReload != force {
			t.Errorf("%s: the pointer says %v, the release %v", what, live.ForceReload, list.Items[0].ForceReload)
		}
	}
	want("deploy with it", true)
	_, err := s.Rollback(t.Context(), s.project, one.ID)
	must(t, err)
	want("rollback", false)
	back, err := s.Rollback(t.Context(), s.project, two.ID, release.ForceReload)
	must(t, err)
	want("rollback with it", true)
	if back.Record.ForceReload {
		t.Error("the rollback's record is that of a deployment that forces reloads")
	}
	_, err = s.Promote(t.Context(), s.project, one.ID)
	must(t, err)
	want("promote", false)
	_, err = s.Promote(t.Context(), s.project, two.ID)
	must(t, err)
	want("promote of a deployment that was deployed with it", false)
}
