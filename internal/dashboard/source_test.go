package dashboard

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestPagesOf_LeadsToTheHost(t *testing.T) {
	d := anchor.Deployment{CommitSha: "c0ffee", PullRequest: 7}
	for _, c := range []struct {
		host             anchor.Host
		repository       string
		commit, pullPage string
	}{
		{anchor.GitHub, "git@github.com:acme/shop.git", "https://github.com/acme/shop/commit/c0ffee", "https://github.com/acme/shop/pull/7"},
		{anchor.GitLab, "ssh://git@git.example.com:2222/a/b/shop.git", "https://git.example.com/a/b/shop/-/commit/c0ffee", "https://git.example.com/a/b/shop/-/merge_requests/7"},
		{anchor.Gitea, "http://git.example.com:3000/a/shop", "http://git.example.com:3000/a/shop/commit/c0ffee", "http://git.example.com:3000/a/shop/pulls/7"},
		{anchor.Bitbucket, "https://user@bitbucket.org/a/shop.git/", "https://bitbucket.org/a/shop/commits/c0ffee", "https://bitbucket.org/a/shop/pull-requests/7"},
		{anchor.Plain, "https://git.example.com/shop", "", ""},
		{anchor.GitHub, "javascript://example.com/%0aalert(1)", "", ""},
		{anchor.GitHub, "/srv/git/shop", "", ""},
	} {
		got := pagesOf(anchor.Connection{Host: c.host, Repository: c.repository}, d)
		if got.Commit != c.commit || got.Pull != c.pullPage {
			t.Errorf("%s %s: %+v", c.host, c.repository, got)
		}
	}
	if got := pagesOf(anchor.Connection{Host: anchor.GitHub, Repository: "https://github.com/a/b"}, anchor.Deployment{CommitSha: "../x\" onclick="}); got.Commit != "https://github.com/a/b/commit/..%2Fx%22%20onclick=" {
		t.Errorf("a hostile commit: %s", got.Commit)
	}
}
