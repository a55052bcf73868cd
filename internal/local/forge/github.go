package forge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type gitHub struct {
	Access
	owner, repository string
	client            *github.Client
	app               *ghinstallation.Transport // nil with a token
}

func openGitHub(a Access) (API, error) {
	h := &gitHub{Access: a}
	h.owner, h.repository = splitName(a.Name)
	shared := *a.HTTP // the library changes what it gets
	options := []github.ClientOptionsFunc{github.WithUserAgent("anchor")}
	if a.AppID != 0 {
		app, err := ghinstallation.New(a.HTTP.Transport, a.AppID, a.Install, []byte(a.AppKey))
		if err != nil {
			return nil, anchor.Invalid("bad_app_key", "the key of the GitHub App cannot be read").Because(err).
				Hintf("Use the .pem file that GitHub created for the app.")
		}
		app.Client = a.HTTP
		if a.APIURL != "" {
			app.BaseURL = strings.TrimRight(a.APIURL, "/")
		}
		h.app, shared.Transport = app, app
	} else {
		options = append(options, github.WithAuthToken(a.Token))
	}
	options = append(options, github.WithHTTPClient(&shared))
	if a.APIURL != "" {
		root := strings.TrimRight(a.APIURL, "/") + "/"
		options = append(options, github.WithURLs(&root, nil))
	}
	var err error
	if h.client, err = github.NewClient(options...); err != nil {
		return nil, anchor.Invalid("bad_api_url", "the API of GitHub cannot be at %q", a.APIURL).Because(err).
			Hintf("For GitHub Enterprise Server use https://HOST/api/v3.")
	}
	return h, nil
}

// SetStatus implements API.
func (h *gitHub) SetStatus(ctx context.Context, r Report) error {
	state := map[State]string{Waiting: "pending", Building: "pending", Success: "success", Failure: "failure", Canceled: "error", Inactive: "success"}[r.State]
	status := github.RepoStatus{State: &state, Context: &r.Context, Description: github.Ptr(clip(r.Description, 140))}
	if r.URL != "" {
		status.TargetURL = &r.URL
	}
	_, _, err := h.client.Repositories.CreateStatus(ctx, h.owner, h.repository, r.Commit, status)
	return refused(h.Access, "accept the status of commit "+clip(r.Commit, 12), err)
}

// SetDeployment implements API.
func (h *gitHub) SetDeployment(ctx context.Context, id string, r Report) (string, error) {
	if id == "" {
		d, _, err := h.client.Repositories.CreateDeployment(ctx, h.owner, h.repository, &github.DeploymentRequest{
			Ref: &r.Commit, Environment: &r.Environment, AutoMerge: github.Ptr(false), RequiredContexts: &[]string{},
			TransientEnvironment: github.Ptr(!r.Production), ProductionEnvironment: &r.Production, Description: github.Ptr("Anchor"),
		})
		if err != nil {
			return "", refused(h.Access, "create a deployment", err)
		}
		id = strconv.FormatInt(d.GetID(), 10)
	}
	state := map[State]string{Waiting: "queued", Building: "in_progress", Success: "success", Failure: "failure", Canceled: "inactive", Inactive: "inactive"}[r.State]
	status := &github.DeploymentStatusRequest{
		State: &state, Description: github.Ptr(clip(r.Description, 140)), Environment: &r.Environment, AutoInactive: github.Ptr(r.Production),
	}
	if r.URL != "" {
		status.EnvironmentURL = &r.URL
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err == nil {
		_, _, err = h.client.Repositories.CreateDeploymentStatus(ctx, h.owner, h.repository, number, status)
	}
	return id, refused(h.Access, "accept the state of a deployment", err)
}

// RemoveEnvironment implements API. It takes the permission to administer the repository, which a token that only reports
// does not have (GitHub REST API, "Delete an environment").
func (h *gitHub) RemoveEnvironment(ctx context.Context, name string) error {
	answer, err := h.client.Repositories.DeleteEnvironment(ctx, h.owner, h.repository, url.PathEscape(name))
	if answer != nil {
		err = tolerated(answer.StatusCode, err)
	}
	return refused(h.Access, "remove the environment "+name, err)
}

// Comment implements API.
func (h *gitHub) Comment(ctx context.Context, pull int64, id, marker, text string) (string, error) {
	known, _ := strconv.ParseInt(id, 10, 64) // 0: not known
	if known == 0 {
		for c, err := range h.client.Issues.ListCommentsIter(ctx, h.owner, h.repository, int(pull), &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}) {
			if err != nil {
				return "", refused(h.Access, "list the comments of a pull request", err)
			}
			if strings.Contains(c.GetBody(), marker) {
				known = c.GetID()
				break
			}
		}
	}
	if known != 0 {
		_, answer, err := h.client.Issues.EditComment(ctx, h.owner, h.repository, known, &github.IssueComment{Body: &text})
		if err == nil {
			return strconv.FormatInt(known, 10), nil
		}
		if answer == nil || answer.StatusCode != http.StatusNotFound { // someone deleted it
			return id, refused(h.Access, "accept a comment", err)
		}
	}
	c, _, err := h.client.Issues.CreateComment(ctx, h.owner, h.repository, int(pull), &github.IssueComment{Body: &text})
	if err != nil {
		return "", refused(h.Access, "accept a comment", err)
	}
	return strconv.FormatInt(c.GetID(), 10), nil
}

// SetUp implements API.
func (h *gitHub) SetUp(ctx context.Context, s Setup) error {
	hook := &github.Hook{
		Events: []string{"push", "pull_request"}, Active: github.Ptr(true),
		Config: &github.HookConfig{URL: &s.URL, Secret: &s.Secret, ContentType: github.Ptr("json"), InsecureSSL: github.Ptr("0")},
	}
	existing := int64(0)
	for old, err := range h.client.Repositories.ListHooksIter(ctx, h.owner, h.repository, &github.ListOptions{PerPage: 100}) {
		if err != nil {
			return refused(h.Access, "list the webhooks", err)
		}
		if old.GetConfig().GetURL() == s.URL {
			existing = old.GetID()
			break
		}
	}
	var err error
	if existing != 0 {
		_, _, err = h.client.Repositories.EditHook(ctx, h.owner, h.repository, existing, hook)
	} else {
		_, _, err = h.client.Repositories.CreateHook(ctx, h.owner, h.repository, hook)
	}
	if err != nil {
		return refused(h.Access, "create the webhook", err)
	}
	if h.app != nil || s.Key == "" {
		return nil // the app's token clones
	}
	for old, err := range h.client.Repositories.ListKeysIter(ctx, h.owner, h.repository, &github.ListOptions{PerPage: 100}) {
		if err != nil {
			return refused(h.Access, "list the deploy keys", err)
		}
		if sameKey(old.GetKey(), s.Key) {
			return nil
		}
	}
	_, _, err = h.client.Repositories.CreateKey(ctx, h.owner, h.repository, &github.Key{Title: &s.Title, Key: &s.Key, ReadOnly: github.Ptr(true)})
	return refused(h.Access, "create the deploy key", err)
}

// CloneToken implements API.
func (h *gitHub) CloneToken(ctx context.Context) (user, password string, err error) {
	if h.app == nil {
		return "x-access-token", h.Token, nil
	}
	token, err := h.app.Token(ctx)
	return "x-access-token", token, refused(h.Access, "create a token of the app for a clone", err)
}

// sameKey compares two lines of authorized_keys without their comments.
func sameKey(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) > 1 && len(y) > 1 && x[0] == y[0] && x[1] == y[1]
}
