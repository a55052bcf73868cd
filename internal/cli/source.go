package cli

import (
	"context"
	"net/url"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// source is what a remote build clones.
type source struct {
	repository           string // an https URL without credentials
	sha, branch, message string // both "": the project's production branch
}

// findSource fills in what o leaves open from the git repository of dir.
func findSource(ctx context.Context, dir string, o buildOptions) (source, error) {
	s := source{repository: o.repository, message: o.message}
	if s.repository == "" {
		s.repository = runGit(ctx, dir, "remote", "get-url", "origin")
	}
	if s.repository == "" {
		return s, usagef("this folder has no git remote named origin; pass the repository with --repo")
	}
	var err error
	if s.repository, err = httpsURL(s.repository); err != nil {
		return s, err
	}
	switch {
	case o.ref != "":
		s.sha, s.branch = splitRef(ctx, dir, o.ref)
	case o.repository == "":
		err = s.checkedOut(ctx, dir)
	}
	if s.message == "" && s.sha != "" {
		s.message = runGit(ctx, dir, "log", "-1", "--format=%s", s.sha)
	}
	s.message = commit{}.withOptions(deployOptions{message: s.message}).message
	return s, err
}

// checkedOut takes the commit of HEAD, which has to be where CodeBuild can find it.
func (s *source) checkedOut(ctx context.Context, dir string) error {
	head := readCommit(ctx, dir)
	if head.sha == "" {
		return usagef("this folder has no commits; pass what to build with --ref")
	}
	if runGit(ctx, dir, "branch", "--remotes", "--contains", head.sha) == "" {
		return anchor.Conflict("not_pushed", "commit %.12s is not on any remote branch", head.sha).
			Hintf("Push it with git push, or build a pushed branch: anchor builds start --ref main")
	}
	s.sha, s.branch = head.sha, head.branch
	return nil
}

var hexName = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// splitRef separates commits from branches and tags. CodeBuild accepts whole commit ids only
// (StartBuild, sourceVersion), so a short one has to be resolved here.
func splitRef(ctx context.Context, dir, ref string) (sha, branch string) {
	if !hexName.MatchString(ref) {
		return "", ref
	}
	if len(ref) == 40 {
		return ref, ""
	}
	if whole := runGit(ctx, dir, "rev-parse", "--verify", "--quiet", ref+"^{commit}"); strings.HasPrefix(whole, ref) {
		return whole, ""
	}
	return "", ref
}

// scpForm is git's short form of an SSH URL: you@host:path (git-clone, "Git URLs").
var scpForm = regexp.MustCompile(`^(?:[^@/]+@)?([^:/@]+):([^/:].*)$`)

// httpsURL returns the https form of a remote. Credentials in it are left out: they would be
// disclosed, and CodeBuild has its own.
func httpsURL(remote string) (string, error) {
	if part := scpForm.FindStringSubmatch(remote); part != nil && !strings.Contains(remote, "://") {
		return "https://" + part[1] + "/" + part[2], nil
	}
	at, err := url.Parse(remote)
	if err != nil || at.Hostname() == "" || at.Scheme != "https" && at.Scheme != "ssh" && at.Scheme != "git+ssh" {
		return "", anchor.Invalid("bad_repository", "the URL of the repository is not an https or SSH URL that CodeBuild can clone").
			Hintf("Pass its https URL: anchor builds start --repo https://github.com/you/shop")
	}
	if at.Scheme != "https" {
		at.Host = at.Hostname() // the port is SSH's
	}
	at.Scheme, at.User = "https", nil
	return at.String(), nil
}
