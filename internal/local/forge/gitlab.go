package forge

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type gitLab struct {
	Access
	client *gitlab.Client
}

func openGitLab(a Access) (API, error) {
	options := []gitlab.ClientOptionFunc{
		gitlab.WithHTTPClient(a.HTTP), gitlab.WithUserAgent("anchor"), gitlab.WithCustomRetryMax(0), // Anchor repeats
	}
	if a.APIURL != "" {
		options = append(options, gitlab.WithBaseURL(a.APIURL))
	}
	client, err := gitlab.NewClient(a.Token, options...)
	if err != nil {
		return nil, anchor.Invalid("bad_api_url", "the API of GitLab cannot be at %q", a.APIURL).Because(err).
			Hintf("Use the root of the server, such as https://gitlab.example.com.")
	}
	return &gitLab{a, client}, nil
}

// SetStatus implements API.
func (h *gitLab) SetStatus(ctx context.Context, r Report) error {
	state := map[State]gitlab.BuildStateValue{
		Waiting: gitlab.Pending, Building: gitlab.Running, Success: gitlab.Success, Failure: gitlab.Failed,
		Canceled: gitlab.Canceled, Inactive: gitlab.Success,
	}[r.State]
	options := &gitlab.SetCommitStatusOptions{State: state, Name: &r.Context, Description: gitlab.Ptr(clip(r.Description, 140))}
	if r.URL != "" {
		options.TargetURL = &r.URL
	}
	_, answer, err := h.client.Commits.SetCommitStatus(h.Name, r.Commit, options, gitlab.WithContext(ctx))
	if err != nil && answer != nil && answer.StatusCode == http.StatusBadRequest && strings.Contains(err.Error(), "Cannot transition status") {
		return nil // it has this state already
	}
	return refused(h.Access, "accept the status of commit "+clip(r.Commit, 12), err)
}

// SetDeployment implements API.
func (h *gitLab) SetDeployment(ctx context.Context, id string, r Report) (string, error) {
	state := map[State]gitlab.DeploymentStatusValue{
		Waiting: gitlab.DeploymentStatusCreated, Building: gitlab.DeploymentStatusRunning, Success: gitlab.DeploymentStatusSuccess,
		Failure: gitlab.DeploymentStatusFailed, Canceled: gitlab.DeploymentStatusCanceled,
	}[r.State]
	if state == "" || state == gitlab.DeploymentStatusCreated {
		return id, nil // the API takes neither; a removed preview is in the comment
	}
	if id != "" {
		number, err := strconv.ParseInt(id, 10, 64)
		if err == nil {
			_, _, err = h.client.Deployments.UpdateProjectDeployment(h.Name, number,
				&gitlab.UpdateProjectDeploymentOptions{Status: &state}, gitlab.WithContext(ctx))
		}
		return id, refused(h.Access, "accept the state of a deployment", err)
	}
	d, _, err := h.client.Deployments.CreateProjectDeployment(h.Name, &gitlab.CreateProjectDeploymentOptions{
		Environment: &r.Environment, Ref: &r.Branch, SHA: &r.Commit, Tag: gitlab.Ptr(false), Status: &state,
	}, gitlab.WithContext(ctx))
	if err != nil {
		return "", refused(h.Access, "create a deployment", err)
	}
	return strconv.FormatInt(d.ID, 10), nil
}

// RemoveEnvironment implements API. GitLab removes stopped environments only.
func (h *gitLab) RemoveEnvironment(ctx context.Context, name string) error {
	found, answer, err := h.client.Environments.ListEnvironments(h.Name, &gitlab.ListEnvironmentsOptions{Name: &name}, gitlab.WithContext(ctx))
	for _, e := range found {
		if _, answer, err = h.client.Environments.StopEnvironment(h.Name, e.ID, &gitlab.StopEnvironmentOptions{Force: gitlab.Ptr(true)}, gitlab.WithContext(ctx)); err == nil {
			answer, err = h.client.Environments.DeleteEnvironment(h.Name, e.ID, gitlab.WithContext(ctx))
		}
	}
	if answer != nil {
		err = tolerated(answer.StatusCode, err)
	}
	return refused(h.Access, "remove the environment "+name, err)
}

// Comment implements API.
func (h *gitLab) Comment(ctx context.Context, pull int64, id, marker, text string) (string, error) {
	known, err := h.findNote(ctx, pull, id, marker)
	if err != nil {
		return id, err
	}
	if known != 0 {
		_, answer, err := h.client.Notes.UpdateMergeRequestNote(h.Name, pull, known, &gitlab.UpdateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
		if err == nil {
			return strconv.FormatInt(known, 10), nil
		}
		if answer == nil || answer.StatusCode != http.StatusNotFound {
			return id, refused(h.Access, "accept a comment", err)
		}
	}
	note, _, err := h.client.Notes.CreateMergeRequestNote(h.Name, pull, &gitlab.CreateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
	if err != nil {
		return "", refused(h.Access, "accept a comment", err)
	}
	return strconv.FormatInt(note.ID, 10), nil
}

// findNote returns the comment with id, else the one that contains marker, else 0.
func (h *gitLab) findNote(ctx context.Context, pull int64, id, marker string) (int64, error) {
	if known, err := strconv.ParseInt(id, 10, 64); err == nil {
		return known, nil
	}
	options := &gitlab.ListMergeRequestNotesOptions{ListOptions: gitlab.ListOptions{PerPage: 100, Page: 1}}
	for options.Page > 0 {
		notes, answer, err := h.client.Notes.ListMergeRequestNotes(h.Name, pull, options, gitlab.WithContext(ctx))
		if err != nil {
			return 0, refused(h.Access, "list the comments of a merge request", err)
		}
		for _, n := range notes {
			if strings.Contains(n.Body, marker) {
				return n.ID, nil
			}
		}
		options.Page = answer.NextPage
	}
	return 0, nil
}

// SetUp implements API.
func (h *gitLab) SetUp(ctx context.Context, s Setup) error {
	hooks, _, err := h.client.Projects.ListProjectHooks(h.Name, &gitlab.ListProjectHooksOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}, gitlab.WithContext(ctx))
	if err != nil {
		return refused(h.Access, "list the webhooks", err)
	}
	existing := int64(0)
	for _, old := range hooks {
		if old.URL == s.URL {
			existing = old.ID
		}
	}
	yes := gitlab.Ptr(true)
	if existing != 0 {
		_, _, err = h.client.Projects.EditProjectHook(h.Name, existing, &gitlab.EditProjectHookOptions{
			URL: &s.URL, Token: &s.Secret, PushEvents: yes, MergeRequestsEvents: yes, EnableSSLVerification: yes}, gitlab.WithContext(ctx))
	} else {
		_, _, err = h.client.Projects.AddProjectHook(h.Name, &gitlab.AddProjectHookOptions{
			URL: &s.URL, Token: &s.Secret, PushEvents: yes, MergeRequestsEvents: yes, EnableSSLVerification: yes}, gitlab.WithContext(ctx))
	}
	if err != nil || s.Key == "" {
		return refused(h.Access, "create the webhook", err)
	}
	keys, _, err := h.client.DeployKeys.ListProjectDeployKeys(h.Name, nil, gitlab.WithContext(ctx))
	if err != nil {
		return refused(h.Access, "list the deploy keys", err)
	}
	for _, old := range keys {
		if sameKey(old.Key, s.Key) {
			return nil
		}
	}
	_, _, err = h.client.DeployKeys.AddDeployKey(h.Name, &gitlab.AddDeployKeyOptions{Title: &s.Title, Key: &s.Key, CanPush: gitlab.Ptr(false)}, gitlab.WithContext(ctx))
	return refused(h.Access, "create the deploy key", err)
}

// CloneToken implements API.
func (h *gitLab) CloneToken(context.Context) (user, password string, err error) {
	return "oauth2", h.Token, nil
}
