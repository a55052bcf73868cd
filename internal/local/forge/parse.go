package forge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v88/github"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Parse returns what an authenticated delivery reports. A delivery about something else is one event
// of kind Other.
func Parse(host anchor.Host, h http.Header, payload []byte) ([]Event, error) {
	read := map[anchor.Host]func(http.Header, []byte) ([]Event, error){
		anchor.GitHub: parseGitHub, anchor.GitLab: parseGitLab, anchor.Gitea: parseGitea, anchor.Bitbucket: parseBitbucket,
	}[host]
	events, err := read(h, payload)
	if err != nil {
		return nil, anchor.Invalid("bad_delivery", "the delivery is not what %s sends", host).Because(err).
			Hintf("Choose JSON as the content type of the webhook.")
	}
	for i, e := range events {
		if e.Kind != Other && e.Repository == "" || e.Kind == Push && e.Branch == "" || e.Kind == Pull && e.Number == 0 {
			return nil, anchor.Invalid("bad_delivery", "the %s delivery names no repository, branch or number", e.Name).
				Hintf("Choose JSON as the content type of the webhook.")
		}
		events[i].Title = clip(e.Title, 200)
	}
	return events, nil
}

func parseGitHub(h http.Header, payload []byte) ([]Event, error) {
	name := h.Get("X-GitHub-Event")
	if name != "push" && name != "pull_request" {
		return other(name), nil
	}
	parsed, err := github.ParseWebHook(name, payload)
	if err != nil {
		return nil, err
	}
	switch e := parsed.(type) {
	case *github.PushEvent:
		return pushed(Event{
			Name: name, Repository: e.GetRepo().GetFullName(), Commit: e.GetAfter(), Deleted: e.GetDeleted(),
		}, e.GetRef()), nil
	case *github.PullRequestEvent:
		name += "." + e.GetAction()
		if !hasAction(e.GetAction(), "opened", "reopened", "synchronize", "closed", "edited") {
			return other(name), nil
		}
		pull := e.GetPullRequest()
		return []Event{{
			Kind: Pull, Name: name, Repository: e.GetRepo().GetFullName(), Number: int64(pull.GetNumber()), Title: pull.GetTitle(),
			Branch: pull.GetHead().GetRef(), Commit: pull.GetHead().GetSHA(), Closed: pull.GetState() == "closed",
			Fork:      pull.GetHead().GetRepo().GetFullName() != e.GetRepo().GetFullName(), // also when the fork is deleted
			UpdatedAt: pull.GetUpdatedAt().UnixMilli(),
		}}, nil
	}
	return nil, errors.New("the payload belongs to another event")
}

func parseGitLab(h http.Header, payload []byte) ([]Event, error) {
	kind := gitlab.EventType(h.Get("X-Gitlab-Event"))
	if kind != gitlab.EventTypePush && kind != gitlab.EventTypeMergeRequest {
		return other(string(kind)), nil
	}
	parsed, err := gitlab.ParseWebhook(kind, payload)
	if err != nil {
		return nil, err
	}
	switch e := parsed.(type) {
	case *gitlab.PushEvent:
		return pushed(Event{
			Name: "push", Repository: e.Project.PathWithNamespace, Commit: e.After, Deleted: isZero(e.After),
		}, e.Ref), nil
	case *gitlab.MergeEvent:
		o := e.ObjectAttributes
		return []Event{{
			Kind: Pull, Name: "merge_request." + o.Action, Repository: e.Project.PathWithNamespace, Number: o.IID, Title: o.Title,
			Branch: o.SourceBranch, Commit: o.LastCommit.ID, Fork: o.SourceProjectID != o.TargetProjectID,
			Closed: o.State == "closed" || o.State == "merged", UpdatedAt: gitLabTime(o.UpdatedAt),
		}}, nil
	}
	return nil, errors.New("the payload belongs to another event")
}

// gitLabTime reads both forms of times in GitLab's payloads; 0 for others.
func gitLabTime(text string) int64 {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMilli()
		}
	}
	return 0
}

// giteaPayload is what Gitea and Forgejo deliver; their SDK has no types for it.
type giteaPayload struct {
	Ref        string `json:"ref"`
	After      string `json:"after"`
	Action     string `json:"action"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	PullRequest struct {
		Number    int64     `json:"number"`
		Title     string    `json:"title"`
		State     string    `json:"state"`
		UpdatedAt time.Time `json:"updated_at"`
		Head      struct {
			Ref  string `json:"ref"`
			SHA  string `json:"sha"`
			Repo *struct {
				FullName string `json:"full_name"`
			} `json:"repo"`
		} `json:"head"`
	} `json:"pull_request"`
}

func parseGitea(h http.Header, payload []byte) ([]Event, error) {
	name := h.Get("X-Gitea-Event")
	if name == "" {
		name = h.Get("X-Forgejo-Event")
	}
	var p giteaPayload
	if name != "push" && name != "pull_request" && name != "pull_request_sync" {
		return other(name), nil
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, err
	}
	if name == "push" {
		return pushed(Event{Name: name, Repository: p.Repository.FullName, Commit: p.After, Deleted: isZero(p.After)}, p.Ref), nil
	}
	name = "pull_request." + p.Action
	if !hasAction(p.Action, "opened", "reopened", "synchronized", "closed", "edited") {
		return other(name), nil
	}
	pull := p.PullRequest
	return []Event{{
		Kind: Pull, Name: name, Repository: p.Repository.FullName, Number: pull.Number, Title: pull.Title,
		Branch: pull.Head.Ref, Commit: pull.Head.SHA, Closed: pull.State == "closed",
		Fork:      pull.Head.Repo == nil || pull.Head.Repo.FullName != p.Repository.FullName,
		UpdatedAt: pull.UpdatedAt.UnixMilli(),
	}}, nil
}

type bitbucketRef struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Target struct {
		Hash string `json:"hash"`
	} `json:"target"`
}

type bitbucketSide struct {
	Branch struct {
		Name string `json:"name"`
	} `json:"branch"`
	Commit struct {
		Hash string `json:"hash"`
	} `json:"commit"`
	Repository *struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

// bitbucketPayload is what Bitbucket Cloud delivers (its page "Event payloads").
type bitbucketPayload struct {
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Push struct {
		Changes []struct {
			New *bitbucketRef `json:"new"`
			Old *bitbucketRef `json:"old"`
		} `json:"changes"`
	} `json:"push"`
	PullRequest struct {
		ID        int64         `json:"id"`
		Title     string        `json:"title"`
		State     string        `json:"state"`
		UpdatedOn time.Time     `json:"updated_on"`
		Source    bitbucketSide `json:"source"`
	} `json:"pullrequest"`
}

func parseBitbucket(h http.Header, payload []byte) ([]Event, error) {
	name := h.Get("X-Event-Key")
	var p bitbucketPayload
	switch name {
	case "repo:push", "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled", "pullrequest:rejected":
		if err := json.Unmarshal(payload, &p); err != nil {
			return nil, err
		}
	default:
		return other(name), nil
	}
	if name != "repo:push" {
		pull := p.PullRequest
		return []Event{{
			Kind: Pull, Name: name, Repository: p.Repository.FullName, Number: pull.ID, Title: pull.Title,
			Branch: pull.Source.Branch.Name, Commit: pull.Source.Commit.Hash, Closed: pull.State != "OPEN",
			Fork:      pull.Source.Repository == nil || pull.Source.Repository.FullName != p.Repository.FullName,
			UpdatedAt: pull.UpdatedOn.UnixMilli(),
		}}, nil
	}
	var all []Event
	for _, change := range p.Push.Changes {
		e := Event{Kind: Push, Name: name, Repository: p.Repository.FullName}
		switch {
		case change.New != nil && change.New.Type == "branch":
			e.Branch, e.Commit = change.New.Name, change.New.Target.Hash
		case change.New == nil && change.Old != nil && change.Old.Type == "branch":
			e.Branch, e.Deleted = change.Old.Name, true
		default:
			e.Kind = Other
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return other(name), nil
	}
	return all, nil
}

func other(name string) []Event { return []Event{{Kind: Other, Name: name}} }

// pushed completes the event of a push by its ref. Tags are not built.
func pushed(e Event, ref string) []Event {
	branch, found := strings.CutPrefix(ref, "refs/heads/")
	if !found && strings.HasPrefix(ref, "refs/") {
		return other(e.Name + " of " + ref)
	}
	e.Kind, e.Branch = Push, branch
	return []Event{e}
}

func isZero(name string) bool { return strings.Trim(name, "0") == "" }

func hasAction(action string, known ...string) bool {
	for _, k := range known {
		if action == k {
			return true
		}
	}
	return false
}
