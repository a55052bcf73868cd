package anchor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestBranchLabels(t *testing.T) {
	long := strings.Repeat("abc/", 30)
	for branch, want := range map[string][]string{
		"feature/x":                  {"feature-x--shop", "feature-x-"},
		"feature-x":                  {"feature-x--shop", "feature-x-"},
		"Fix_#12 (ü)":                {"fix-12--shop", "fix-12-"},
		"a--b":                       {"a-b--shop", "a-b-"},
		"日本":                         {"--shop"},
		long:                         {"abc-abc-"},
		"01hzzzzzzzzzzzzzzzzzzzzzzz": {"01hzzzzzzzzzzzzzzzzzzzzzzz-"},
	} {
		got := anchor.BranchLabels(branch, "shop")
		if len(got) != len(want) {
			t.Errorf("%s: %q", branch, got)
			continue
		}
		for i, label := range got {
			if !strings.Contains(label, want[i]) || !strings.HasSuffix(label, "--shop") || len(label) > 63 || strings.HasPrefix(label, "-") {
				t.Errorf("%s: %q", branch, got)
			}
		}
	}
	slug := strings.Repeat("s", anchor.MaxSlug)
	if got := anchor.BranchLabels(long, slug); len(got[0]) > 63 || !strings.HasSuffix(got[0], "--"+slug) {
		t.Errorf("%q", got)
	}
	if a, b := anchor.BranchLabels("a/b", "shop"), anchor.BranchLabels("a-b", "shop"); a[0] != b[0] || slices.Equal(a, b) {
		t.Errorf("%q and %q", a, b)
	}
}
