package anchor_test

import (
	"maps"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestAddVercelNames(t *testing.T) {
	ours := map[string]string{
		"ANCHOR_ENV": "production", "ANCHOR_URL": "https://shop.example.com", "ANCHOR_DEPLOYMENT_ID": "d1", "ANCHOR_PROJECT_ID": "p1",
		"ANCHOR_GIT_COMMIT_SHA": "c0ffee", "ANCHOR_GIT_BRANCH": "feature/x", "ANCHOR_GIT_PULL_REQUEST_ID": "7",
	}
	added := map[string]string{
		"VERCEL": "1", "VERCEL_ENV": "production", "VERCEL_TARGET_ENV": "production", "VERCEL_URL": "shop.example.com",
		"VERCEL_PROJECT_PRODUCTION_URL": "shop.example.com", "VERCEL_DEPLOYMENT_ID": "d1", "VERCEL_PROJECT_ID": "p1",
		"VERCEL_GIT_COMMIT_SHA": "c0ffee", "VERCEL_GIT_COMMIT_REF": "feature/x", "VERCEL_GIT_PULL_REQUEST_ID": "7",
	}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(ours)
		maps.Copy(all, more)
		return all
	}
	preview := maps.Clone(added)
	preview["VERCEL_ENV"], preview["VERCEL_TARGET_ENV"] = "preview", "preview"
	preview["ANCHOR_ENV"] = "preview"
	delete(preview, "VERCEL_PROJECT_PRODUCTION_URL")
	own := maps.Clone(added)
	own["VERCEL_URL"], own["VERCEL_PROJECT_PRODUCTION_URL"] = "own", "own"
	for name, c := range map[string]struct{ set, want map[string]string }{
		"on request":         {map[string]string{"VERCEL": "1"}, added},
		"not otherwise":      {map[string]string{"VERCEL": "0"}, map[string]string{"VERCEL": "0"}},
		"of a preview":       {map[string]string{"VERCEL": "1", "ANCHOR_ENV": "preview"}, preview},
		"set by the project": {map[string]string{"VERCEL": "1", "VERCEL_URL": "own"}, own},
	} {
		got, want := with(c.set), with(c.want)
		anchor.AddVercelNames(got)
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
