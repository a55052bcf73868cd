package cli

import (
	"errors"
	"net/url"
	"os"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

// newClient returns a client of the server.
func (s *shell) newClient() (*client.Client, error) {
	base, token, err := s.server()
	if err != nil {
		return nil, err
	}
	return client.New(base, token), nil
}

// server finds the server: ANCHOR_URL and ANCHOR_TOKEN, else the anchor up that announced
// itself on this machine. A token stored here, the local server's or that of an installation on
// AWS, is sent to its own server only.
func (s *shell) server() (base, token string, err error) {
	local, tried, running := discovery.Find()
	base, token = os.Getenv("ANCHOR_URL"), os.Getenv("ANCHOR_TOKEN")
	if base == "" && !running {
		return "", "", &client.Unreachable{Err: noServer(tried)}
	}
	if base == "" {
		base = local.URL
	}
	if token == "" && running && strings.TrimRight(base, "/") == strings.TrimRight(local.URL, "/") {
		token = local.Token
	}
	if token == "" {
		if remote, ok := discovery.FindRemote(base); ok {
			token = remote.Token
		}
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", anchor.Invalid("bad_url", "ANCHOR_URL is %q, which is not an http or https URL", base).
			Hintf("Set it to the URL of the server's API, for example http://127.0.0.1:3080.")
	}
	return base, token, nil
}

// inProject returns the server and the project that the working folder belongs to.
func (s *shell) inProject() (*client.Client, string, error) {
	c, err := s.newClient()
	if err != nil {
		return nil, "", err
	}
	project, err := s.projectFor(s.context(), c, ".")
	return c, project, err
}

func noServer(tried []string) error {
	return errors.New("looked in\n  " + strings.Join(tried, "\n  "))
}
