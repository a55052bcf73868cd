package hooks

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/forge"
	"github.com/anchor-deploy/anchor/internal/local/git"
)

// Connect ties a project to a repository. A project that is connected already keeps its secret and its
// deploy key, and its token unless there is a new one. With HookURL Anchor creates the webhook and
// the deploy key at the host, before anything is stored.
func (s *Service) Connect(ctx context.Context, p anchor.Project, r anchor.ConnectRequest) (anchor.Connected, error) {
	if p.Removing {
		return anchor.Connected{}, anchor.Conflict("removing", "project %s is being removed", p.Slug).Hintf("Connect another project.")
	}
	c, err := checkRequest(r)
	if err != nil {
		return anchor.Connected{}, err
	}
	secrets := anchor.ConnectionSecrets{}
	old, err := s.open(ctx, p.ID)
	switch {
	case err == nil:
		secrets = old.secrets
		if old.connection.Repository == c.Repository {
			c.HostKey = old.connection.HostKey
		}
		if old.connection.Host != c.Host || old.connection.APIURL != c.APIURL { // a token goes to its own host only
			secrets.Token, secrets.AppKey = "", ""
		} else if c.AppID == 0 && r.Token == "" {
			c.AppID, c.Install = old.connection.AppID, old.connection.Install
		}
	case !errors.Is(err, anchor.ErrNotFound):
		return anchor.Connected{}, err
	}
	if err := completeSecrets(&secrets, r); err != nil {
		return anchor.Connected{}, err
	}
	c.CreatedAt = s.Now().UnixMilli()
	c.HasToken = secrets.Token != "" || secrets.AppKey != ""
	if c.DeployKey, err = publicKey(secrets.Key, "anchor-"+p.Slug); err != nil {
		return anchor.Connected{}, err
	}
	api, err := s.checkAPI(c, secrets)
	if err != nil {
		return anchor.Connected{}, err
	}
	if r.HookURL != "" {
		if err := setUp(ctx, api, p, c, secrets, r.HookURL); err != nil {
			return anchor.Connected{}, err
		}
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return anchor.Connected{}, err
	}
	if err := s.Records.PutConnection(ctx, p.ID, c, s.Box.Seal(plain, "connection", string(p.ID))); err != nil {
		return anchor.Connected{}, err
	}
	return reveal(p, c, secrets), nil
}

func setUp(ctx context.Context, api forge.API, p anchor.Project, c anchor.Connection, secrets anchor.ConnectionSecrets, hookURL string) error {
	if api == nil {
		return anchor.Invalid("no_token", "without a token Anchor cannot create the webhook at %s", c.Host).
			Hintf("Add --token-stdin, or leave --set-up away and create the webhook yourself.")
	}
	u, err := url.Parse(hookURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return anchor.Invalid("bad_hook_url", "%q is not a URL that a host can call", hookURL).
			Hintf("Use the URL of this server as the host sees it: --url https://anchor.example.com")
	}
	key := c.DeployKey
	if !git.IsSSH(c.Repository) {
		key = "" // the token clones
	}
	return api.SetUp(ctx, forge.Setup{
		URL: strings.TrimRight(hookURL, "/") + hookPath(p, c), Secret: secrets.Hook, Title: "Anchor: " + p.Slug, Key: key,
	})
}

// checkAPI opens the host's API when there is a token, so that a wrong key or URL is refused at once.
func (s *Service) checkAPI(c anchor.Connection, secrets anchor.ConnectionSecrets) (forge.API, error) {
	if !c.HasToken {
		return nil, nil
	}
	return forge.Open(s.access(c, secrets))
}

// completeSecrets adds what is missing, and what the request replaces.
func completeSecrets(secrets *anchor.ConnectionSecrets, r anchor.ConnectRequest) error {
	if r.Rotate {
		secrets.Hook, secrets.Key = "", ""
	}
	if r.Token != "" {
		secrets.Token, secrets.AppKey = r.Token, ""
	}
	if r.AppKey != "" {
		secrets.Token, secrets.AppKey = "", r.AppKey
	}
	if secrets.Hook == "" {
		random := make([]byte, 32)
		rand.Read(random) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
		// The form of Standard Webhooks, which GitLab's signing token has; for others it is a text.
		secrets.Hook = "whsec_" + base64.StdEncoding.EncodeToString(random)
	}
	if secrets.Key != "" {
		return nil
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("create a deploy key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "anchor")
	if err != nil {
		return fmt.Errorf("create a deploy key: %w", err)
	}
	secrets.Key = string(pem.EncodeToMemory(block))
	return nil
}

// publicKey returns the public half of a deploy key as a line of authorized_keys.
func publicKey(private, comment string) (string, error) {
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return "", fmt.Errorf("read the deploy key: %w", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " " + comment, nil
}

func hookPath(p anchor.Project, c anchor.Connection) string {
	return "/hooks/" + p.Slug + "/" + string(c.Host)
}

// reveal is a connection with what the host has to know.
func reveal(p anchor.Project, c anchor.Connection, secrets anchor.ConnectionSecrets) anchor.Connected {
	out := anchor.Connected{
		Connection: c, HookPath: hookPath(p, c), Secret: secrets.Hook,
		DeployHookPath: "/hooks/" + p.Slug + "/" + DeployHook + "?key=" + forge.HookKey(secrets.Hook),
	}
	if c.Host == anchor.Plain {
		out.HookPath, out.Secret = out.DeployHookPath, ""
	}
	return out
}

// checkRequest returns the connection that a request asks for.
func checkRequest(r anchor.ConnectRequest) (anchor.Connection, error) {
	c := anchor.Connection{
		Host: r.Host, Repository: strings.TrimSpace(r.Repository), APIURL: strings.TrimRight(r.APIURL, "/"),
		WatchPaths: r.WatchPaths, AppID: r.AppID, Install: r.Install,
	}
	if !slices.Contains(anchor.Hosts, c.Host) {
		return c, anchor.Invalid("no_such_host", "%q is not a host that Anchor connects to", c.Host).
			Hintf("Use github, gitlab, gitea (also for Forgejo), bitbucket or plain.")
	}
	if err := git.CheckRemoteURL(c.Repository); err != nil {
		return c, err
	}
	server, name := splitRepository(c.Repository)
	if c.Name = name; c.Host != anchor.Plain && !strings.Contains(name, "/") {
		return c, anchor.Invalid("bad_repository", "%q names no repository of %s", c.Repository, c.Host).
			Hintf("Use a URL such as https://HOST/OWNER/NAME.git.")
	}
	if err := checkApp(r); err != nil {
		return c, err
	}
	for _, pattern := range c.WatchPaths {
		if pattern == "" || len(pattern) > 255 || strings.HasPrefix(pattern, ":") || strings.HasPrefix(pattern, "/") || strings.ContainsAny(pattern, "\x00\n") {
			return c, anchor.Invalid("bad_watch_path", "%q is not a pattern of paths", pattern).
				Hintf("Use paths from the top of the repository, such as apps/web/**.")
		}
	}
	return completeAPI(c, server)
}

func checkApp(r anchor.ConnectRequest) error {
	if r.AppID == 0 && r.Install == 0 && r.AppKey == "" {
		return nil
	}
	if r.Host != anchor.GitHub || r.AppID <= 0 || r.Install <= 0 || r.AppKey == "" || r.Token != "" {
		return anchor.Invalid("bad_app", "a GitHub App needs its id, the id of its installation and its key, and no token").
			Hintf("Use anchor connect github --app-id ID --installation-id ID --app-key FILE.")
	}
	return nil
}

// completeAPI derives the root of a host's API from the repository's server where none is named.
func completeAPI(c anchor.Connection, server string) (anchor.Connection, error) {
	public := map[anchor.Host]string{anchor.GitHub: "github.com", anchor.GitLab: "gitlab.com", anchor.Bitbucket: "bitbucket.org"}
	if c.APIURL == "" && c.Host != anchor.Plain && server != public[c.Host] {
		switch c.Host {
		case anchor.GitHub:
			c.APIURL = "https://" + server + "/api/v3"
		case anchor.Bitbucket:
			return c, anchor.Invalid("no_such_server", "only Bitbucket Cloud is supported, and %s is another server", server).
				Hintf("Use anchor connect plain and call the deploy hook.")
		default:
			c.APIURL = "https://" + server
		}
	}
	if c.APIURL == "" {
		return c, nil
	}
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return c, anchor.Invalid("bad_api_url", "%q is not the URL of an API", c.APIURL).Hintf("Use --api https://HOST.")
	}
	return c, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// splitRepository returns the server of a repository's URL and the repository's path there.
func splitRepository(raw string) (server, name string) {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		server, name = u.Hostname(), u.Path
		if u.Scheme != "ssh" && u.Port() != "" {
			server = u.Host
		}
	} else {
		_, rest, _ := strings.Cut(raw, "@")
		server, name, _ = strings.Cut(rest, ":")
	}
	return strings.ToLower(server), strings.TrimSuffix(strings.Trim(name, "/"), ".git")
}

// Show returns the connection of a project and its newest deliveries; with secrets what the host has
// to know.
func (s *Service) Show(ctx context.Context, p anchor.Project, secrets bool) (anchor.Connected, error) {
	l, err := s.open(ctx, p.ID)
	if err != nil {
		return anchor.Connected{}, err
	}
	out := anchor.Connected{Connection: l.connection, HookPath: hookPath(p, l.connection)}
	if secrets {
		out = reveal(p, l.connection, l.secrets)
	}
	out.Deliveries, err = s.Records.Deliveries(ctx, p.ID, 20)
	return out, err
}

// Disconnect removes the connection of a project and what is known through it.
func (s *Service) Disconnect(ctx context.Context, p anchor.Project) error {
	return s.Records.DeleteConnection(ctx, p.ID)
}

// TrustHostKey forgets the key of the ssh server: the next clone pins the one that answers.
func (s *Service) TrustHostKey(ctx context.Context, p anchor.Project) error {
	return s.Records.ChangeConnection(ctx, p.ID, func(c *anchor.Connection) { c.HostKey = "" })
}

// PullRequests returns the pull requests that the host told of, newest first.
func (s *Service) PullRequests(ctx context.Context, p anchor.Project) ([]anchor.PullRequest, error) {
	if _, err := s.open(ctx, p.ID); err != nil {
		return nil, err
	}
	return s.Records.PullRequests(ctx, p.ID)
}

// Approve lets the commit of a fork's pull request be built: commit, when it is not "", has to be the
// one that is known, so that nobody approves what they have not seen.
func (s *Service) Approve(ctx context.Context, p anchor.Project, number int64, commit string) (anchor.PullRequest, error) {
	l, err := s.open(ctx, p.ID)
	if err != nil {
		return anchor.PullRequest{}, err
	}
	pull, err := l.storeApproval(ctx, number, commit)
	if err != nil {
		return pull, err
	}
	content, err := json.Marshal([]forge.Event{{Kind: forge.Approval, Name: "approval", Number: number, Branch: pull.Branch}})
	if err != nil {
		return pull, err
	}
	_, err = s.accept(ctx, anchor.Delivery{
		ProjectID: p.ID, ID: "approval-" + anchor.NewID(), Summary: fmt.Sprintf("approval of pull request %d", number), Events: content,
		ReceivedAt: s.Now().UnixMilli(),
	})
	return pull, err
}

func (l *link) storeApproval(ctx context.Context, number int64, commit string) (anchor.PullRequest, error) {
	defer l.pulls.Lock(l.project.ID)()
	pull, found, err := l.pull(ctx, number)
	switch {
	case err != nil:
		return pull, err
	case !found:
		return pull, anchor.NotFound("unknown_pull_request", "the host has not told of a pull request %d", number).
			Hintf("To list the pull requests, run anchor connect pulls.")
	case pull.Closed:
		return pull, anchor.Conflict("pull_request_closed", "pull request %d is closed", number).Hintf("Open it again at the host first.")
	case !pull.Fork:
		return pull, anchor.Conflict("not_a_fork", "pull request %d is not from a fork and needs no approval", number).
			Hintf("To see what became of it, run anchor connect show.")
	case commit != "" && (len(commit) < 7 || !strings.HasPrefix(pull.Commit, commit)):
		return pull, anchor.Conflict("other_commit", "pull request %d is at %.12s, not at %s", number, pull.Commit, commit).
			Hintf("Look at the new commit, then approve it.")
	}
	pull.Approved = pull.Commit
	return pull, l.Records.PutPullRequest(ctx, l.project.ID, pull)
}
