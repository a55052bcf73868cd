package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// bitbucket is a small client of Bitbucket Cloud's API 2.0, for which no library is well kept.
type bitbucket struct {
	Access
	root string
}

func openBitbucket(a Access) API {
	root := a.APIURL
	if root == "" {
		root = "https://api.bitbucket.org/2.0"
	}
	return &bitbucket{a, strings.TrimRight(root, "/") + "/repositories/" + a.Name}
}

// statusError is an answer that is not 2xx.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("status %d: %s", e.status, clip(e.text, 300))
}

// call sends in, and decodes the answer into out unless that is nil.
func (h *bitbucket) call(ctx context.Context, method, url string, in, out any) error {
	var sent io.Reader
	if in != nil {
		content, err := json.Marshal(in)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(content)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+h.Token)
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := h.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // for the message only
		return &statusError{answer.StatusCode, string(text)}
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(out)
}

// bitbucketPage is a page of a list.
type bitbucketPage[T any] struct {
	Values []T    `json:"values"`
	Next   string `json:"next"`
}

// maxPages bounds how much of a list is read.
const maxPages = 50

// find returns the first item of a list that matches.
func find[T any](ctx context.Context, h *bitbucket, url string, matches func(T) bool) (found T, ok bool, err error) {
	for range maxPages {
		var page bitbucketPage[T]
		if err := h.call(ctx, http.MethodGet, url, nil, &page); err != nil {
			return found, false, err
		}
		for _, item := range page.Values {
			if matches(item) {
				return item, true, nil
			}
		}
		if page.Next == "" || rootOf(page.Next) != rootOf(h.root) { // the token goes nowhere else
			break
		}
		url = page.Next
	}
	return found, false, nil
}

type bitbucketStatus struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	State       string `json:"state"`
	Description string `json:"description"`
	URL         string `json:"url"` // required
}

// SetStatus implements API.
func (h *bitbucket) SetStatus(ctx context.Context, r Report) error {
	state := map[State]string{Waiting: "INPROGRESS", Building: "INPROGRESS", Success: "SUCCESSFUL", Failure: "FAILED", Canceled: "STOPPED", Inactive: "SUCCESSFUL"}[r.State]
	url := r.URL
	if url == "" {
		url = "https://bitbucket.org/" + h.Name + "/commits/" + r.Commit
	}
	err := h.call(ctx, http.MethodPost, h.root+"/commit/"+r.Commit+"/statuses/build",
		bitbucketStatus{Key: clip(r.Context, 40), Name: r.Context, State: state, Description: clip(r.Description, 140), URL: url}, nil)
	return refused(h.Access, "accept the status of commit "+clip(r.Commit, 12), err)
}

// SetDeployment implements API. Only Bitbucket's own pipelines have deployments.
func (h *bitbucket) SetDeployment(context.Context, string, Report) (string, error) { return "", nil }

type bitbucketComment struct {
	ID      int64 `json:"id,omitempty"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"`
	Deleted bool `json:"deleted,omitempty"`
}

// RemoveEnvironment implements API.
func (*bitbucket) RemoveEnvironment(context.Context, string) error { return nil }

// Comment implements API.
func (h *bitbucket) Comment(ctx context.Context, pull int64, id, marker, text string) (string, error) {
	all := fmt.Sprintf("%s/pullrequests/%d/comments", h.root, pull)
	if id == "" {
		c, ok, err := find(ctx, h, all+"?pagelen=100", func(c bitbucketComment) bool {
			return !c.Deleted && strings.Contains(c.Content.Raw, marker)
		})
		if err != nil {
			return "", refused(h.Access, "list the comments of a pull request", err)
		}
		if ok {
			id = strconv.FormatInt(c.ID, 10)
		}
	}
	var sent, made bitbucketComment
	sent.Content.Raw = text
	if id != "" {
		err := h.call(ctx, http.MethodPut, all+"/"+id, sent, nil)
		gone := (*statusError)(nil)
		if !errors.As(err, &gone) || gone.status != http.StatusNotFound && gone.status != http.StatusGone {
			return id, refused(h.Access, "accept a comment", err)
		}
	}
	err := h.call(ctx, http.MethodPost, all, sent, &made)
	if err != nil {
		return "", refused(h.Access, "accept a comment", err)
	}
	return strconv.FormatInt(made.ID, 10), nil
}

type bitbucketHook struct {
	UUID        string   `json:"uuid,omitempty"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Active      bool     `json:"active"`
	Secret      string   `json:"secret,omitempty"`
	Events      []string `json:"events"`
}

type bitbucketKey struct {
	Key   string `json:"key"`
	Label string `json:"label"`
}

// SetUp implements API.
func (h *bitbucket) SetUp(ctx context.Context, s Setup) error {
	hook := bitbucketHook{URL: s.URL, Description: s.Title, Active: true, Secret: s.Secret, Events: []string{
		"repo:push", "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled", "pullrequest:rejected"}}
	old, ok, err := find(ctx, h, h.root+"/hooks?pagelen=100", func(x bitbucketHook) bool { return x.URL == s.URL })
	if err != nil {
		return refused(h.Access, "list the webhooks", err)
	}
	method, at := http.MethodPost, h.root+"/hooks"
	if ok {
		method, at = http.MethodPut, at+"/"+old.UUID
	}
	if err := h.call(ctx, method, at, hook, nil); err != nil || s.Key == "" {
		return refused(h.Access, "create the webhook", err)
	}
	_, ok, err = find(ctx, h, h.root+"/deploy-keys?pagelen=100", func(x bitbucketKey) bool { return sameKey(x.Key, s.Key) })
	if err == nil && !ok {
		err = h.call(ctx, http.MethodPost, h.root+"/deploy-keys", bitbucketKey{Key: s.Key, Label: s.Title}, nil)
	}
	return refused(h.Access, "create the deploy key", err)
}

// CloneToken implements API.
func (h *bitbucket) CloneToken(context.Context) (user, password string, err error) {
	return "x-token-auth", h.Token, nil
}
