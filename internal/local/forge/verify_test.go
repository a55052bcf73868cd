package forge

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// headers makes http.Header of names and values, as net/http does.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestAuthenticate(t *testing.T) {
	body, secret := []byte(`{"a":1}`), "whsec_"+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	now := time.Unix(1_800_000_000, 0)
	mac := hex.EncodeToString(sign([]byte(secret), body))
	standard := func(key, id string, at time.Time) http.Header {
		stamp := strconv.FormatInt(at.Unix(), 10)
		sum := sign([]byte(key), append([]byte(id+"."+stamp+"."), body...))
		return headers("Webhook-Id", id, "Webhook-Timestamp", stamp,
			"Webhook-Signature", "v1a,xx v1,AAAA v1,"+base64.StdEncoding.EncodeToString(sum), "X-Gitlab-Token", secret)
	}
	moved := standard(secret, "one", now)
	moved.Set("Webhook-Id", "two")
	for name, c := range map[string]struct {
		host   anchor.Host
		header http.Header
		code   string
	}{
		"github":                         {anchor.GitHub, headers("X-Hub-Signature-256", "sha256="+mac, "Content-Type", "application/json"), ""},
		"github, other body":             {anchor.GitHub, headers("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sign([]byte(secret), []byte("x"))), "Content-Type", "application/json"), "bad_signature"},
		"github, no signature":           {anchor.GitHub, headers("X-Hub-Signature", "sha1=00"), "no_signature"},
		"gitea":                          {anchor.Gitea, headers("X-Gitea-Signature", mac), ""},
		"forgejo":                        {anchor.Gitea, headers("X-Forgejo-Signature", mac), ""},
		"gitea, wrong":                   {anchor.Gitea, headers("X-Gitea-Signature", mac[:62]+"00"), "bad_signature"},
		"gitea, not hex":                 {anchor.Gitea, headers("X-Gitea-Signature", "zz"), "bad_signature"},
		"gitea, none":                    {anchor.Gitea, headers(), "no_signature"},
		"bitbucket":                      {anchor.Bitbucket, headers("X-Hub-Signature", "sha256="+mac), ""},
		"bitbucket, wrong":               {anchor.Bitbucket, headers("X-Hub-Signature", "sha256="+mac[:10]), "bad_signature"},
		"bitbucket, none":                {anchor.Bitbucket, headers("X-Hub-Signature", mac), "no_signature"},
		"gitlab, token":                  {anchor.GitLab, headers("X-Gitlab-Token", secret), ""},
		"gitlab, wrong token":            {anchor.GitLab, headers("X-Gitlab-Token", secret+"x"), "bad_signature"},
		"gitlab, none":                   {anchor.GitLab, headers(), "no_signature"},
		"gitlab, signed":                 {anchor.GitLab, standard(secret, "one", now), ""},
		"gitlab, signed by decoded key":  {anchor.GitLab, standard("0123456789abcdef0123456789abcdef", "one", now.Add(-time.Minute)), ""},
		"gitlab, signed by another":      {anchor.GitLab, standard("other", "one", now), "bad_signature"},
		"gitlab, signature of other id":  {anchor.GitLab, moved, "bad_signature"},
		"gitlab, signed an hour ago":     {anchor.GitLab, standard(secret, "one", now.Add(-time.Hour)), "old_delivery"},
		"gitlab, signed in the future":   {anchor.GitLab, standard(secret, "one", now.Add(time.Hour)), "old_delivery"},
		"a host without signed payloads": {anchor.Plain, headers(), "no_such_host"},
	} {
		_, err := Authenticate(c.host, c.header, body, secret, now)
		if anchor.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
		if err != nil && anchor.HintOf(err) == "" {
			t.Errorf("%s: the error has no hint", name)
		}
	}
	form := []byte("payload=" + url.QueryEscape(string(body)))
	h := headers("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sign([]byte(secret), form)), "Content-Type", "application/x-www-form-urlencoded")
	if payload, err := Authenticate(anchor.GitHub, h, form, secret, now); err != nil || string(payload) != string(body) {
		t.Errorf("a form is read as %q, %v", payload, err)
	}
}

func TestHookKey(t *testing.T) {
	key := HookKey("secret")
	if err := CheckHookKey("secret", key); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", key + "x", HookKey("other"), "secret"} {
		if err := CheckHookKey("secret", wrong); anchor.CodeOf(err) != "bad_hook_key" {
			t.Errorf("the key %q: %v", wrong, err)
		}
	}
}

func TestParse_OtherHosts(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).UnixMilli()
	for name, c := range map[string]struct {
		host    anchor.Host
		header  http.Header
		payload string
		want    []Event
	}{
		"gitlab push": {anchor.GitLab, headers("X-Gitlab-Event", "Push Hook"),
			`{"object_kind":"push","ref":"refs/heads/feature/x","after":"da15","project":{"path_with_namespace":"group/sub/shop"},"repository":{"name":"shop"}}`,
			[]Event{{Kind: Push, Name: "push", Repository: "group/sub/shop", Branch: "feature/x", Commit: "da15"}}},
		"gitlab deletion": {anchor.GitLab, headers("X-Gitlab-Event", "Push Hook"),
			`{"object_kind":"push","ref":"refs/heads/x","after":"0000000000000000000000000000000000000000","project":{"path_with_namespace":"a/b"}}`,
			[]Event{{Kind: Push, Name: "push", Repository: "a/b", Branch: "x", Commit: "0000000000000000000000000000000000000000", Deleted: true}}},
		"gitlab merge request of a fork": {anchor.GitLab, headers("X-Gitlab-Event", "Merge Request Hook"),
			`{"object_kind":"merge_request","project":{"path_with_namespace":"a/b"},"object_attributes":{"iid":3,"title":"T","state":"opened","action":"open",
			"source_branch":"main","source_project_id":9,"target_project_id":1,"last_commit":{"id":"c0ffee"},"updated_at":"2026-03-01 10:00:00 UTC"}}`,
			[]Event{{Kind: Pull, Name: "merge_request.open", Repository: "a/b", Number: 3, Title: "T", Branch: "main", Commit: "c0ffee", Fork: true, UpdatedAt: at}}},
		"gitlab merged": {anchor.GitLab, headers("X-Gitlab-Event", "Merge Request Hook"),
			`{"object_kind":"merge_request","project":{"path_with_namespace":"a/b"},"object_attributes":{"iid":3,"state":"merged","action":"merge",
			"source_branch":"x","source_project_id":1,"target_project_id":1,"last_commit":{"id":"c0ffee"},"updated_at":"2026-03-01T10:00:00Z"}}`,
			[]Event{{Kind: Pull, Name: "merge_request.merge", Repository: "a/b", Number: 3, Branch: "x", Commit: "c0ffee", Closed: true, UpdatedAt: at}}},
		"gitlab tag": {anchor.GitLab, headers("X-Gitlab-Event", "Tag Push Hook"), `{"object_kind":"tag_push"}`,
			[]Event{{Kind: Other, Name: "Tag Push Hook"}}},
		"gitea push": {anchor.Gitea, headers("X-Gitea-Event", "push"),
			`{"ref":"refs/heads/main","after":"da15","repository":{"full_name":"a/b"}}`,
			[]Event{{Kind: Push, Name: "push", Repository: "a/b", Branch: "main", Commit: "da15"}}},
		"forgejo pull request": {anchor.Gitea, headers("X-Forgejo-Event", "pull_request"),
			`{"action":"synchronized","number":2,"repository":{"full_name":"a/b"},"pull_request":{"number":2,"title":"T","state":"open","updated_at":"2026-03-01T12:00:00+02:00",
			"head":{"ref":"x","sha":"c0ffee","repo":{"full_name":"a/b"}}}}`,
			[]Event{{Kind: Pull, Name: "pull_request.synchronized", Repository: "a/b", Number: 2, Title: "T", Branch: "x", Commit: "c0ffee", UpdatedAt: at}}},
		"gitea fork that is deleted": {anchor.Gitea, headers("X-Gitea-Event", "pull_request"),
			`{"action":"closed","repository":{"full_name":"a/b"},"pull_request":{"number":2,"state":"closed","updated_at":"2026-03-01T10:00:00Z","head":{"ref":"x","sha":"c","repo":null}}}`,
			[]Event{{Kind: Pull, Name: "pull_request.closed", Repository: "a/b", Number: 2, Branch: "x", Commit: "c", Closed: true, Fork: true, UpdatedAt: at}}},
		"gitea label": {anchor.Gitea, headers("X-Gitea-Event", "pull_request"), `{"action":"label_updated"}`,
			[]Event{{Kind: Other, Name: "pull_request.label_updated"}}},
		"bitbucket push of two branches and a tag": {anchor.Bitbucket, headers("X-Event-Key", "repo:push"),
			`{"repository":{"full_name":"a/b"},"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"da15"}}},
			{"new":null,"old":{"type":"branch","name":"x"}},{"new":{"type":"tag","name":"v1"}}]}}`,
			[]Event{{Kind: Push, Name: "repo:push", Repository: "a/b", Branch: "main", Commit: "da15"},
				{Kind: Push, Name: "repo:push", Repository: "a/b", Branch: "x", Deleted: true}, {Kind: Other, Name: "repo:push", Repository: "a/b"}}},
		"bitbucket merged": {anchor.Bitbucket, headers("X-Event-Key", "pullrequest:fulfilled"),
			`{"repository":{"full_name":"a/b"},"pullrequest":{"id":4,"title":"T","state":"MERGED","updated_on":"2026-03-01T10:00:00.000000+00:00",
			"source":{"branch":{"name":"x"},"commit":{"hash":"c0ffee"},"repository":{"full_name":"a/b"}}}}`,
			[]Event{{Kind: Pull, Name: "pullrequest:fulfilled", Repository: "a/b", Number: 4, Title: "T", Branch: "x", Commit: "c0ffee", Closed: true, UpdatedAt: at}}},
	} {
		got, err := Parse(c.host, c.header, []byte(c.payload))
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", name, got[i], c.want[i])
			}
		}
	}
	for host, h := range map[anchor.Host]http.Header{
		anchor.GitHub: headers("X-GitHub-Event", "push"), anchor.GitLab: headers("X-Gitlab-Event", "Push Hook"),
		anchor.Gitea: headers("X-Gitea-Event", "push"), anchor.Bitbucket: headers("X-Event-Key", "pullrequest:created"),
	} {
		for _, bad := range []string{"", "{", "[]", "{}", `{"ref":1}`, `{"pullrequest":3}`} {
			if _, err := Parse(host, h, []byte(bad)); anchor.CodeOf(err) != "bad_delivery" {
				t.Errorf("%s: %q is read with %v", host, bad, err)
			}
		}
	}
}
