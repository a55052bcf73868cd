package git

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// Remote is a repository at a host, and how to clone it.
type Remote struct {
	URL            string // https, or ssh as ssh://user@host/path or user@host:path
	User, Password string // for https; "" for a public repository
	Key            string // private key for ssh, PEM
	HostKey        string // of the ssh server, lines of known_hosts; "" accepts the one that answers
}

// scpURL matches user@host:path.
var scpURL = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9_/~][A-Za-z0-9_./~-]*$`)

// sshUser matches the user of an ssh URL, who cannot be an option.
var sshUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// CheckRemoteURL refuses what is not the URL of a repository that Anchor clones. Plain http is for
// this machine only: it would show the password and the code to the network.
func CheckRemoteURL(raw string) error {
	bad := anchor.Invalid("bad_repository", "%q is not the URL of a repository that Anchor can clone", raw).
		Hintf("Use https://HOST/OWNER/NAME.git, or git@HOST:OWNER/NAME.git with a deploy key.")
	if scpURL.MatchString(raw) {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-") || strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Fragment != "" {
		return bad
	}
	_, hasPassword := u.User.Password()
	switch {
	case hasPassword || u.Scheme != "ssh" && u.User != nil:
		return anchor.Invalid("bad_repository", "the URL of the repository contains a user or a password").
			Hintf("Leave them away; a token goes to --token-stdin.")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "ssh" && sshUser.MatchString(u.User.Username()) && !strings.HasPrefix(u.Path, "/-"):
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return bad
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// IsSSH reports whether a URL is cloned over ssh.
func IsSSH(raw string) bool { return scpURL.MatchString(raw) || strings.HasPrefix(raw, "ssh://") }

func hostRef(name string) string { return anchorRefs + "/hosts/" + name }

// Fetch brings a ref of the remote, such as refs/heads/main, and its history into the repository, and
// returns the commit that it names now and the key of the ssh server. Nothing that a client sees
// changes. NotFound means that the remote has no such ref.
func (r *Repository) Fetch(ctx context.Context, from Remote, ref string) (commit, hostKey string, err error) {
	if err := CheckRemoteURL(from.URL); err != nil {
		return "", "", err
	}
	if _, err := r.output(ctx, "check-ref-format", ref); err != nil {
		return "", "", anchor.Invalid("bad_branch", "%q cannot be the name of a branch", ref).Because(err).Hintf("Rename the branch.")
	}
	dir, err := os.MkdirTemp(r.store.dir, "new-") // Sweep removes it after a crash
	if err != nil {
		return "", "", fmt.Errorf("create a folder for the keys of a fetch: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := r.checkRoom(); err != nil {
		return "", "", err
	}
	cmd, err := r.prepareFetch(ctx, from, ref, dir)
	if err != nil {
		return "", "", err
	}
	_, err = cmd.Output()
	if err != nil {
		return "", "", explainFetch(explain(err, "fetch"), from, ref, r.store.PackBytes)
	}
	if IsSSH(from.URL) {
		known, err := os.ReadFile(knownHosts(dir))
		if err != nil {
			return "", "", fmt.Errorf("read the key of the ssh server: %w", err)
		}
		hostKey = strings.TrimSpace(string(known))
	}
	out, err := r.output(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", hostRef("fetched")+"^{commit}")
	if err != nil {
		return "", "", err
	}
	return firstLine(out), hostKey, nil
}

func knownHosts(dir string) string { return filepath.Join(dir, "known_hosts") }

// prepareFetch prepares git fetch. Keys and passwords are in files and in the environment of
// the processes, which only this user reads; a command line everyone can.
func (r *Repository) prepareFetch(ctx context.Context, from Remote, ref, dir string) (*exec.Cmd, error) {
	args := []string{
		"-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1", "-c", "transfer.unpackLimit=1",
		"-c", "http.followRedirects=false", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60",
		"-c", "protocol.https.allow=always", "-c", "protocol.http.allow=always", "-c", "protocol.ssh.allow=always",
		"-c", "credential.helper=",
		"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc", "--refmap=",
		"--", from.URL, "+" + ref + ":" + hostRef("fetched"),
	}
	cmd := command(ctx, r.dir, args...)
	// A pack larger than a push may have ends git: ulimit counts blocks of 512 bytes (POSIX).
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, fmt.Errorf("find sh, which limits a fetch: %w", err)
	}
	cmd.Args = append([]string{"sh", "-c", `ulimit -f "$0" && exec "$@"`, fmt.Sprint(r.store.PackBytes/512 + 1), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = shell
	if from.Password != "" && !IsSSH(from.URL) {
		basic := base64.StdEncoding.EncodeToString([]byte(from.User + ":" + from.Password))
		cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
			"GIT_CONFIG_VALUE_0=Authorization: Basic "+basic)
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		if value, set := os.LookupEnv(name); set {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if !IsSSH(from.URL) {
		return cmd, nil
	}
	return cmd, useSSH(cmd, from, dir)
}

// useSSH makes git use a key that only this fetch has, and the pinned key of the server (ssh_config(5)).
func useSSH(cmd *exec.Cmd, from Remote, dir string) error {
	key := filepath.Join(dir, "key")
	if err := atomicfile.WriteFile(key, []byte(from.Key), 0o600); err != nil {
		return fmt.Errorf("write the deploy key for a fetch: %w", err)
	}
	strict := "accept-new"
	if from.HostKey != "" {
		strict = "yes"
		if err := atomicfile.WriteFile(knownHosts(dir), []byte(from.HostKey+"\n"), 0o600); err != nil {
			return fmt.Errorf("write the key of the ssh server for a fetch: %w", err)
		}
	}
	ssh := []string{"ssh", "-F", "/dev/null", "-i", shellWord(key)}
	for _, option := range []string{
		"IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "PreferredAuthentications=publickey",
		"StrictHostKeyChecking=" + strict, "UserKnownHostsFile=" + knownHosts(dir), "GlobalKnownHostsFile=/dev/null",
		"HashKnownHosts=no", "UpdateHostKeys=no", "CheckHostIP=no", "ConnectTimeout=20", "ServerAliveInterval=15", "ControlPath=none",
	} {
		ssh = append(ssh, "-o", shellWord(option))
	}
	cmd.Env = append(cmd.Env, "GIT_SSH_VARIANT=ssh", "GIT_SSH_COMMAND="+strings.Join(ssh, " "))
	return nil
}

func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// fetchFailures says by git's and ssh's own words why a fetch failed. The first that matches counts.
// The index-pack that reaches the limit of a file ends by SIGXFSZ (setrlimit(2)) and prints nothing.
var fetchFailures = []struct {
	words, code, message, hint string
	temporary                  bool
}{
	{words: "ssh: not found", code: "ssh_missing", message: "ssh is not installed on the server",
		hint: "Install it with the system's package manager, for example apt-get install openssh-client. The server need not be restarted."},
	{words: "couldn't find remote ref", code: "branch_gone", message: "the repository has no such branch; it is empty, or the branch was deleted", hint: "Push the branch, then let the host deliver again."},
	{words: "REMOTE HOST IDENTIFICATION HAS CHANGED", code: "host_key_changed", message: "the ssh server has another key than at the first clone",
		hint: "Ask the host's operator whether it has a new key. If so, accept it: anchor connect trust-host-key"},
	{words: "Host key verification failed", code: "host_key_changed", message: "the ssh server has another key than at the first clone",
		hint: "Ask the host's operator whether it has a new key. If so, accept it: anchor connect trust-host-key"},
	{words: "Permission denied (", code: "clone_refused", message: "the host does not accept the deploy key",
		hint: "Add the key that anchor connect show prints to the deploy keys of the repository."},
	{words: "Authentication failed", code: "clone_refused", message: "the host does not accept the token", hint: "Connect again with a token that may read the repository."},
	{words: "could not read Username", code: "clone_refused", message: "the host wants a token for this repository", hint: "Connect with --token-stdin, or with the repository's ssh URL."},
	{words: "terminal prompts disabled", code: "clone_refused", message: "the host wants a token for this repository", hint: "Connect with --token-stdin, or with the repository's ssh URL."},
	{words: "error: 403", code: "clone_refused", message: "the host refuses the clone", hint: "Connect again with a token that may read the repository."},
	{words: "not found", code: "repository_not_found", message: "the host has no such repository, or hides it", hint: "Check the URL, and that the deploy key or the token belongs to this repository."},
	{words: "does not appear to be a git repository", code: "repository_not_found", message: "the host has no such repository", hint: "Check the URL of the repository."},
	{words: "error: 30", code: "repository_moved", message: "the repository has another URL now", hint: "Connect again with the new URL."},
	{words: "invalid index-pack output", code: "repository_too_large", message: "the repository is larger than a push may be", hint: "Remove large files from its history, and check that the disk of the server is not full."},
	{words: "Could not resolve host", temporary: true}, {words: "Connection refused", temporary: true}, {words: "Failed to connect", temporary: true},
	{words: "timed out", temporary: true}, {words: "early EOF", temporary: true}, {words: "error: 5", temporary: true}, {words: "error: 429", temporary: true},
	{words: "Connection reset", temporary: true}, {words: "Connection closed", temporary: true}, {words: "hung up", temporary: true},
}

// Unreachable is the code of an error of Fetch that may pass.
const Unreachable = "host_unreachable"

// explainFetch makes an error for users of why git fetch failed.
func explainFetch(err error, from Remote, ref string, most int64) error {
	words := err.Error()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		words += "\n" + string(exit.Stderr)
	}
	where := strings.TrimPrefix(strings.TrimPrefix(ref, branchRefs), "refs/")
	for _, f := range fetchFailures {
		switch {
		case !strings.Contains(words, f.words):
		case f.temporary:
			e := &anchor.Error{Kind: anchor.KindBusy, Code: Unreachable, Message: "the host of " + from.URL + " cannot be reached", Err: err}
			return e.Hintf("Check the network of the server, then let the host deliver again.")
		case f.code == "branch_gone":
			return anchor.NotFound(f.code, "%s: %s", where, f.message).Because(err).Hintf("%s", f.hint)
		case f.code == "repository_too_large":
			return anchor.TooLarge(f.code, "%s (%d MiB)", f.message, most>>20).Because(err).Hintf("%s", f.hint)
		default:
			return anchor.Conflict(f.code, "cannot clone %s: %s", from.URL, f.message).Because(err).Hintf("%s", f.hint)
		}
	}
	return anchor.Failed("clone_failed", "cannot clone %s of %s", where, from.URL).Because(err).Hintf("Try the clone by hand on the server: git ls-remote %s", from.URL)
}

// Changes reports whether two commits differ in files that match one of the patterns, which are
// globs of Git (gitglossary(7), pathspec). It also reports true when from is not in the repository.
func (r *Repository) Changes(ctx context.Context, from, to string, patterns []string) (bool, error) {
	if known, err := r.succeeds(ctx, "cat-file", "-e", from+"^{commit}"); err != nil || !known {
		return true, nil //nolint:nilerr // git exits with 128 for what it does not know
	}
	args := []string{"diff", "--quiet", "--no-ext-diff", "--no-textconv", from, to, "--"}
	for _, p := range patterns {
		args = append(args, ":(top,glob)"+p)
	}
	same, err := r.succeeds(ctx, args...)
	return !same, err
}
