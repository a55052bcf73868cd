package server_test

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// skipped pushes main, and fails unless its commit is accepted and not built for the reason.
func (f *pushFixture) skipped(why string) {
	f.Helper()
	out := f.push("main")
	f.says(out, "is not built: ", why, "main -> main")
	d, err := f.api.Deployment(f.Context(), "shop", f.newest())
	if err != nil || d.Status != anchor.Skipped || !strings.Contains(d.ErrorMessage, why) || d.Live {
		f.Errorf("the build is %s: %s, %v", d.Status, d.ErrorMessage, err)
	}
}

func TestPush_IgnoreCommand(t *testing.T) {
	f := newPushFixture(t, nil)
	// The second line proves that it runs in a repository that knows the branch, the commit before and what is deployed.
	f.write("anchor.json", `{"ignoreCommand":"`+
		`git diff --quiet HEAD^ HEAD -- tree && git status --porcelain && git log --oneline && git rev-parse --abbrev-ref HEAD`+
		` && test -z \"$(git remote)\" && test \"$ANCHOR_GIT_PREVIOUS_SHA\" = \"$(git rev-parse HEAD^)\""}`)
	f.app("one")
	out := f.push("main")
	f.says(out, "the commit is built") // it has no commit before
	f.write("README.md", "only words")
	f.commit("docs")
	f.skipped("ignoreCommand ended with exit code 0: git diff")
	if text := f.log(f.newest()); !strings.Contains(text, "docs\n") || !strings.Contains(text, "\nmain\n") || strings.Contains(text, "README.md") {
		t.Errorf("the log of the build is %q", text)
	}
	if page := f.page(siteURL(t, out, "Live")); !strings.Contains(page, "one") {
		t.Errorf("the site answers %q", page)
	}
	f.app("two")
	if page := f.page(siteURL(t, f.push("main"), "Live")); !strings.Contains(page, "two") {
		t.Errorf("the site answers %q", page)
	}
	if all := strings.Join(f.builds(), ", "); all != "main deployed, main skipped, main deployed" {
		t.Errorf("the builds are %s", all)
	}
	// Somebody who asks for a build gets one.
	list, err := f.api.Builds(t.Context(), "shop", anchor.Page{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.api.RetryBuild(t.Context(), "shop", list.Items[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	f.until("the skipped commit is built", func() bool {
		d, err := f.api.Deployment(t.Context(), "shop", again.ID)
		return err == nil && d.Status == anchor.Deployed
	})
	f.leavesNothing()
}

func TestPush_IgnoreCommand_ThatFailsBuilds(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("anchor.json", `{"ignoreCommand":"no-such-program"}`)
	f.write("build.sh", "test ! -e .git && cp -r tree .open-next\n")
	f.app("one")
	f.says(f.push("main"), "the commit is built", "Live: ")
}

func TestPush_WatchPaths(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("anchor.json", `{"watchPaths":["tree/**","package.json"]}`)
	f.app("one")
	f.push("main")
	f.write("docs/README.md", "words")
	f.commit("docs")
	f.skipped("in tree/**, package.json")
	// What was skipped is not the base of the next comparison.
	f.app("two")
	f.push("main")
	if all := strings.Join(f.builds(), ", "); all != "main deployed, main skipped, main deployed" {
		t.Errorf("the builds are %s", all)
	}
}
