package cli

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	tagged := &debug.BuildInfo{Main: debug.Module{Version: "v0.2.0"}}
	untagged := &debug.BuildInfo{
		Main:     debug.Module{Version: "(devel)"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}},
	}
	for name, c := range map[string]struct {
		release string
		info    *debug.BuildInfo
		want    string
	}{
		"a release":                {"v0.1.0", untagged, "v0.1.0"},
		"a release in another tag": {"v0.1.0", tagged, "v0.1.0"},
		"a build of a tag":         {"", tagged, "v0.2.0"},
		"a build of a commit":      {"", untagged, "dev-0123456"},
		"a build without Git":      {"", &debug.BuildInfo{}, "dev"},
		"a build without modules":  {"", nil, "dev"},
	} {
		if got := versionOf(c.release, c.info); got != c.want {
			t.Errorf("%s has the version %q, want %q", name, got, c.want)
		}
	}
}
