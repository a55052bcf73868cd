package artifact_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

// homeOf lets links stay in the folders f1 and f2.
func homeOf(path string) string {
	if top, _, nested := strings.Cut(path, "/"); nested && (top == "f1" || top == "f2") {
		return top
	}
	return ""
}

func linked(files map[string]string, links ...[2]string) artifact.Manifest {
	m := manifestOf(files)
	for _, l := range links {
		m.Files = append(m.Files, artifact.File{Path: l[0], Link: l[1]})
	}
	return m.Sorted()
}

func TestInline(t *testing.T) {
	files := map[string]string{"f1/a": "1", "f1/d/b": "2", "f2/x": "3", "assets/logo": "4"}
	m := linked(files,
		[2]string{"f1/stays", "d/b"}, [2]string{"f1/folder", "d"}, [2]string{"f1/self", "."},
		[2]string{"f1/gone", "none"}, [2]string{"f1/chain", "stays"},
		[2]string{"f1/other", "../f2/x"}, [2]string{"f1/back", "../f1/a"}, [2]string{"f2/tree", "../f1/d"},
		[2]string{"assets/same", "logo"}, [2]string{"assets/twice", "same"}, [2]string{"assets/lib", "../f1/folder"},
		[2]string{"assets/within", "lib/b"},
	)
	must(t, m.Check(artifact.DefaultLimits))
	got, err := m.Inline(homeOf, artifact.DefaultLimits)
	must(t, err)
	must(t, got.Check(artifact.DefaultLimits))
	want := linked(map[string]string{
		"f1/a": "1", "f1/d/b": "2", "f2/x": "3", "assets/logo": "4",
		"f1/other": "3", "f1/back": "1", "f2/tree/b": "2",
		"assets/same": "4", "assets/twice": "4", "assets/lib/b": "2", "assets/within": "2",
	}, [2]string{"f1/stays", "d/b"}, [2]string{"f1/folder", "d"}, [2]string{"f1/self", "."},
		[2]string{"f1/gone", "none"}, [2]string{"f1/chain", "stays"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
	again, err := got.Inline(homeOf, artifact.DefaultLimits)
	must(t, err)
	if again.Digest() != got.Digest() {
		t.Error("a second time changes it")
	}
}

func TestInline_Refuses(t *testing.T) {
	var bomb [][2]string // each folder holds the next one ten times
	for depth := range 8 {
		for i := range 10 {
			bomb = append(bomb, [2]string{fmt.Sprintf("assets/%d/%d", depth, i), fmt.Sprintf("../%d", depth+1)})
		}
	}
	for name, test := range map[string]struct {
		code, names string
		m           artifact.Manifest
	}{
		"a target that is not there": {"broken_link", "assets/gone", linked(map[string]string{"a": "1"}, [2]string{"assets/gone", "none"})},
		"a folder above":             {"link_loop", "assets/d/up", linked(map[string]string{"assets/d/x": "1"}, [2]string{"assets/d/up", ".."})},
		"the root":                   {"link_loop", "assets/up", linked(map[string]string{"a": "1"}, [2]string{"assets/up", ".."})},
		"two folders in each other": {"link_loop", "cache/a", linked(map[string]string{"cache/x": "1", "assets/x": "1"},
			[2]string{"assets/c", "../cache"}, [2]string{"cache/a", "../assets"})},
		"a folder that holds itself": {"link_loop", "f1/d/self", linked(map[string]string{"f1/d/x": "1"},
			[2]string{"f1/d/self", "."}, [2]string{"assets/d", "../f1/d"})},
		"a path that grows too long": {"path_too_long", "", linked(map[string]string{"assets/" + strings.Repeat("d/", 300) + "x": "1"},
			[2]string{"other/" + strings.Repeat("e/", 300) + "link", strings.Repeat("../", 301) + "assets"})},
		"what multiplies":   {"too_many_files", "", linked(map[string]string{"assets/8/x": "1"}, bomb...)},
		"too much together": {"artifact_too_large", "", linked(map[string]string{"assets/x": strings.Repeat("x", 600<<10)}, [2]string{"assets/y", "x"})},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, test.m.Check(artifact.DefaultLimits))
			_, err := test.m.Inline(homeOf, artifact.Limits{Files: 1000, FileSize: 1 << 20, Total: 1 << 20})
			wantCode(t, err, test.code)
			if !strings.Contains(err.Error(), test.names) {
				t.Errorf("%v does not name %s", err, test.names)
			}
		})
	}
}
