package cli

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestRemote_HTTPSForm(t *testing.T) {
	for remote, want := range map[string]string{
		"git@github.com:you/shop.git":              "https://github.com/you/shop.git",
		"github.com:you/shop":                      "https://github.com/you/shop",
		"ssh://git@gitlab.com:2222/you/shop.git":   "https://gitlab.com/you/shop.git",
		"https://token:secret@bitbucket.org/you/s": "https://bitbucket.org/you/s",
		"https://github.com/you/shop":              "https://github.com/you/shop",
		"/srv/git/shop.git":                        "",
		"../shop":                                  "",
		"file:///srv/git/shop.git":                 "",
		"http://git.example/shop":                  "",
		"ext::sh -c whoami":                        "",
	} {
		got, err := httpsURL(remote)
		if got != want || (want == "") != (anchor.CodeOf(err) == "bad_repository") {
			t.Errorf("%s becomes %q, %v; want %q", remote, got, err, want)
		}
	}
}
