package forge

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"code.gitea.io/sdk/gitea"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type giteaHost struct {
	Access
	owner, repository string
}

func openGitea(a Access) (API, error) {
	if a.APIURL == "" {
		return nil, anchor.Invalid("no_api_url", "Gitea has no public API at a known URL").
			Hintf("Name the server: anchor connect gitea --api https://gitea.example.com")
	}
	h := &giteaHost{Access: a}
	h.owner, h.repository = splitName(a.Name)
	return h, nil
}

// client returns a client whose requests end with ctx. The SDK has one context per client; with the
// version set, opening one sends nothing.
func (h *giteaHost) client(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(h.APIURL, gitea.SetGiteaVersion(""), gitea.SetToken(h.Token), gitea.SetHTTPClient(h.HTTP),
		gitea.SetContext(ctx), gitea.SetUserAgent("anchor"))
}

// SetStatus implements API.
func (h *giteaHost) SetStatus(ctx context.Context, r Report) error {
	c, err := h.client(ctx)
	if err == nil {
		state := map[State]gitea.StatusState{
			Waiting: gitea.StatusPending, Building: gitea.StatusPending, Success: gitea.StatusSuccess, Failure: gitea.StatusFailure,
			Canceled: gitea.StatusError, Inactive: gitea.StatusSuccess,
		}[r.State]
		_, _, err = c.CreateStatus(h.owner, h.repository, r.Commit, gitea.CreateStatusOption{
			State: state, TargetURL: r.URL, Description: clip(r.Description, 140), Context: r.Context,
		})
	}
	return refused(h.Access, "accept the status of commit "+clip(r.Commit, 12), err)
}

// SetDeployment implements API. Gitea has no deployments.
func (h *giteaHost) SetDeployment(context.Context, string, Report) (string, error) { return "", nil }

// RemoveEnvironment implements API.
func (*giteaHost) RemoveEnvironment(context.Context, string) error { return nil }

// Comment implements API.
func (h *giteaHost) Comment(ctx context.Context, pull int64, id, marker, text string) (string, error) {
	c, err := h.client(ctx)
	if err != nil {
		return id, refused(h.Access, "answer", err)
	}
	known, _ := strconv.ParseInt(id, 10, 64) // 0: not known
	for page := 1; known == 0; page++ {
		comments, _, err := c.ListIssueComments(h.owner, h.repository, pull, gitea.ListIssueCommentOptions{ListOptions: gitea.ListOptions{Page: page, PageSize: 50}})
		if err != nil {
			return id, refused(h.Access, "list the comments of a pull request", err)
		}
		for _, comment := range comments {
			if strings.Contains(comment.Body, marker) {
				known = comment.ID
			}
		}
		if len(comments) < 50 {
			break
		}
	}
	if known != 0 {
		_, answer, err := c.EditIssueComment(h.owner, h.repository, known, gitea.EditIssueCommentOption{Body: text})
		if err == nil {
			return strconv.FormatInt(known, 10), nil
		}
		if answer == nil || answer.StatusCode != http.StatusNotFound {
			return id, refused(h.Access, "accept a comment", err)
		}
	}
	comment, _, err := c.CreateIssueComment(h.owner, h.repository, pull, gitea.CreateIssueCommentOption{Body: text})
	if err != nil {
		return "", refused(h.Access, "accept a comment", err)
	}
	return strconv.FormatInt(comment.ID, 10), nil
}

// SetUp implements API.
func (h *giteaHost) SetUp(ctx context.Context, s Setup) error {
	c, err := h.client(ctx)
	if err != nil {
		return refused(h.Access, "answer", err)
	}
	config := map[string]string{"url": s.URL, "content_type": "json", "secret": s.Secret}
	events := []string{"push", "pull_request", "pull_request_sync"}
	hooks, _, err := c.ListRepoHooks(h.owner, h.repository, gitea.ListHooksOptions{ListOptions: gitea.ListOptions{Page: -1}})
	if err != nil {
		return refused(h.Access, "list the webhooks", err)
	}
	existing := int64(0)
	for _, old := range hooks {
		if old.Config["url"] == s.URL {
			existing = old.ID
		}
	}
	if existing != 0 {
		_, err = c.EditRepoHook(h.owner, h.repository, existing, gitea.EditHookOption{Config: config, Events: events, Active: gitea.OptionalBool(true)})
	} else {
		_, _, err = c.CreateRepoHook(h.owner, h.repository, gitea.CreateHookOption{Type: gitea.HookTypeGitea, Config: config, Events: events, Active: true})
	}
	if err != nil || s.Key == "" {
		return refused(h.Access, "create the webhook", err)
	}
	keys, _, err := c.ListDeployKeys(h.owner, h.repository, gitea.ListDeployKeysOptions{ListOptions: gitea.ListOptions{Page: -1}})
	if err != nil {
		return refused(h.Access, "list the deploy keys", err)
	}
	for _, old := range keys {
		if sameKey(old.Key, s.Key) {
			return nil
		}
	}
	_, _, err = c.CreateDeployKey(h.owner, h.repository, gitea.CreateKeyOption{Title: s.Title, Key: s.Key, ReadOnly: true})
	return refused(h.Access, "create the deploy key", err)
}

// CloneToken implements API.
func (h *giteaHost) CloneToken(context.Context) (user, password string, err error) {
	return "anchor", h.Token, nil
}
