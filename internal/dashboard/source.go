package dashboard

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// source is where the code of a deployment can be read, "" where that is not known.
type source struct{ Commit, Pull string }

// sourceOf returns the pages of a deployment's commit and pull request at the host that the project is connected to. A
// commit that was pushed to this server need not be at that host.
func (r request) sourceOf(p wire.Project, d anchor.Deployment) (source, error) {
	if d.CommitSha == "" || d.Source == anchor.SourcePush {
		return source{}, nil
	}
	connected, err := r.api.Connection(r.Context(), p.Slug, false)
	if code := anchor.CodeOf(err); code == "not_connected" || code == "no_connections" {
		return source{}, nil
	}
	if err != nil {
		return source{}, err
	}
	return pagesOf(connected.Connection, d), nil
}

// pathsAt are the paths below a repository's page, of a commit and of a pull request, at each host.
var pathsAt = map[anchor.Host]struct{ commit, pull string }{
	anchor.GitHub: {"/commit/", "/pull/"}, anchor.GitLab: {"/-/commit/", "/-/merge_requests/"},
	anchor.Gitea: {"/commit/", "/pulls/"}, anchor.Bitbucket: {"/commits/", "/pull-requests/"},
}

func pagesOf(c anchor.Connection, d anchor.Deployment) (s source) {
	at, known := pathsAt[c.Host]
	home := repositoryPageOf(c.Repository)
	if !known || home == "" {
		return s
	}
	s.Commit = home + at.commit + url.PathEscape(d.CommitSha)
	if d.PullRequest > 0 {
		s.Pull = home + at.pull + strconv.FormatInt(d.PullRequest, 10)
	}
	return s
}

// repositoryPageOf returns the page of what is cloned: git@github.com:acme/shop.git is https://github.com/acme/shop. The
// port of an SSH server is not that of its pages.
func repositoryPageOf(repository string) string {
	if before, after, found := strings.Cut(repository, ":"); found && !strings.Contains(repository, "://") { // scp's form
		repository = "ssh://" + before + "/" + strings.TrimPrefix(after, "/")
	}
	u, err := url.Parse(repository)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	page := url.URL{Scheme: "https", Host: u.Hostname(), Path: strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")}
	switch u.Scheme {
	case "http", "https":
		page.Scheme, page.Host = u.Scheme, u.Host
	case "ssh":
	default:
		return ""
	}
	return page.String()
}
