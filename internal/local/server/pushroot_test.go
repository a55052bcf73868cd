package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// A repository with several apps says which one a project is, in one of three places.
func TestPush_FindsTheAppOfTheProject(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	for _, name := range []string{"package.json", "build.sh", "tree"} {
		f.write("apps/web/.keep", "")
		f.git("mv", name, "apps/web/"+name)
	}
	f.write("apps/docs/package.json", `{"dependencies":{"next":"15.5.0"}}`)
	base := f.commit("two apps")
	p, err := f.api.Project(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	other := anchor.NewID()
	for _, test := range []struct {
		name, top, web, docs string
		refused              []string // nil: it goes live
	}{
		{name: "nothing", refused: []string{"in apps/docs, apps/web", "anchor link shop --root-directory apps/docs", "anchor env set ANCHOR_ROOT_DIRECTORY="}},
		{name: "a folder that is not there", top: `{"rootDirectory":"apps/gone"}`, refused: []string{`no folder "apps/gone"`}},
		{name: "a key that is misspelt", top: `{"rootDirectry":"apps/web"}`, refused: []string{`unknown key "rootDirectry"`, `Did you mean "rootDirectory"?`}},
		{name: "the top", top: `{"rootDirectory":"apps/web"}`},
		{
			name: "the app's folder",
			web:  fmt.Sprintf(`{"projectId":%q,"project":"shop"}`, p.ID),
			docs: fmt.Sprintf(`{"projectId":%q,"project":"docs"}`, other),
		},
	} {
		f.git("reset", "--quiet", "--hard", base)
		for folder, content := range map[string]string{"": test.top, "apps/web/": test.web, "apps/docs/": test.docs} {
			if content != "" {
				f.write(folder+"anchor.json", content)
			}
		}
		f.commit(test.name)
		if test.refused != nil {
			f.refused(test.refused, "main")
			continue
		}
		f.says(f.push("--force", "-o", "allow-rewrite", "main"), "building", "Live: ")
	}

	// The variable decides for one project, whatever the repository says.
	if err := f.api.SetEnv(t.Context(), "shop", []wire.SetVar{{Name: "ANCHOR_ROOT_DIRECTORY", Value: "apps/docs", For: anchor.EnvBuild}}); err != nil {
		t.Fatal(err)
	}
	f.commit("again")
	out, err := f.tryGit("push", "anchor", "main")
	if err == nil || !strings.Contains(out, "build.sh") {
		t.Errorf("the app in apps/docs, which has no build.sh, is not the one that is built: %v\n%s", err, out)
	}
}
