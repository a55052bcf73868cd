package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
	"github.com/google/go-github/v88/github"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// oldest is how far the time of a signed delivery may be from now (Standard Webhooks: a few minutes).
const oldest = 5 * time.Minute

// Authenticate checks that a delivery was signed with secret, and returns its payload: the body, or
// what the body holds as a form. It compares in constant time.
func Authenticate(host anchor.Host, h http.Header, body []byte, secret string, now time.Time) ([]byte, error) {
	switch host {
	case anchor.GitHub:
		signature := h.Get("X-Hub-Signature-256")
		if !strings.HasPrefix(signature, "sha256=") {
			return nil, unsigned("X-Hub-Signature-256")
		}
		payload, err := github.ValidatePayloadFromBody(h.Get("Content-Type"), strings.NewReader(string(body)), signature, []byte(secret))
		if err != nil {
			return nil, badSignature("X-Hub-Signature-256").Because(err)
		}
		return payload, nil
	case anchor.GitLab:
		return body, authenticateGitLab(h, body, secret, now)
	case anchor.Gitea:
		signature := h.Get("X-Gitea-Signature")
		if signature == "" {
			signature = h.Get("X-Forgejo-Signature")
		}
		if signature == "" {
			return nil, unsigned("X-Gitea-Signature")
		}
		if ok, err := gitea.VerifyWebhookSignature(secret, signature, body); err != nil || !ok {
			return nil, badSignature("X-Gitea-Signature").Because(err)
		}
		return body, nil
	case anchor.Bitbucket:
		signature, found := strings.CutPrefix(h.Get("X-Hub-Signature"), "sha256=")
		if !found {
			return nil, unsigned("X-Hub-Signature")
		}
		sum, err := hex.DecodeString(signature)
		if err != nil || !hmac.Equal(sum, sign([]byte(secret), body)) {
			return nil, badSignature("X-Hub-Signature").Because(err)
		}
		return body, nil
	}
	return nil, anchor.NotFound("no_such_host", "%q is not a host whose deliveries Anchor reads", host).
		Hintf("Use the URL that anchor connect prints.")
}

// authenticateGitLab accepts a delivery with a signature (Standard Webhooks: HMAC-SHA256 of id,
// time and body), else one with the secret token. A wrong signature is not rescued by a right token.
func authenticateGitLab(h http.Header, body []byte, secret string, now time.Time) error {
	signatures := h.Get("Webhook-Signature")
	if signatures == "" {
		token := h.Get("X-Gitlab-Token")
		if token == "" {
			return unsigned("X-Gitlab-Token")
		}
		// Digests: the comparison must not reveal the length either.
		have, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
			return badSignature("X-Gitlab-Token")
		}
		return nil
	}
	id, at := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return badSignature("Webhook-Timestamp").Because(err)
	}
	signed := append([]byte(id+"."+at+"."), body...)
	if !signedByAny(signatures, signed, keysOf(secret)) {
		return badSignature("Webhook-Signature")
	}
	if age := now.Sub(time.Unix(seconds, 0)).Abs(); age > oldest {
		e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "old_delivery",
			Message: "the delivery was signed more than " + oldest.String() + " from now"}
		return e.Hintf("Check the clocks of the host and of the server, then let the host send it again.")
	}
	return nil
}

// keysOf returns what a secret may stand for: its bytes, or what they encode after "whsec_".
func keysOf(secret string) [][]byte {
	keys := [][]byte{[]byte(secret)}
	if encoded, found := strings.CutPrefix(secret, "whsec_"); found {
		if key, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// signedByAny reports whether one of the signatures, "v1,<base64>" with blanks between, is of one of
// the keys.
func signedByAny(signatures string, signed []byte, keys [][]byte) bool {
	ok := false
	for _, signature := range strings.Fields(signatures) {
		encoded, found := strings.CutPrefix(signature, "v1,")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if !found || err != nil {
			continue
		}
		for _, key := range keys {
			ok = hmac.Equal(sum, sign(key, signed)) || ok
		}
	}
	return ok
}

func sign(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// HookKey returns the key of the plain deploy hook's URL, which follows from the connection's secret.
func HookKey(secret string) string {
	return base64.RawURLEncoding.EncodeToString(sign([]byte(secret), []byte("anchor deploy hook")))
}

// CheckHookKey compares a key in constant time.
func CheckHookKey(secret, key string) error {
	want := sha256.Sum256([]byte(HookKey(secret)))
	if have := sha256.Sum256([]byte(key)); subtle.ConstantTimeCompare(have[:], want[:]) == 1 {
		return nil
	}
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "bad_hook_key", Message: "the key of the deploy hook is wrong"}
	return e.Hintf("Use the URL that anchor connect show --reveal prints.")
}

func unsigned(field string) error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "no_signature", Message: "the delivery has no " + field + " field"}
	return e.Hintf("Enter the secret that anchor connect prints in the settings of the webhook.")
}

func badSignature(field string) *anchor.Error {
	e := &anchor.Error{Kind: anchor.KindUnauthorized, Code: "bad_signature",
		Message: field + " does not belong to this delivery and the connection's secret"}
	return e.Hintf("Enter the secret that anchor connect show --reveal prints in the settings of the webhook.")
}

// DeliveryID returns the name of a delivery, which a repetition has, too; "" when the host names none.
func DeliveryID(host anchor.Host, h http.Header) string {
	fields := map[anchor.Host][]string{
		anchor.GitHub:    {"X-GitHub-Delivery"},
		anchor.GitLab:    {"Webhook-Id", "Idempotency-Key", "X-Gitlab-Event-UUID"},
		anchor.Gitea:     {"X-Gitea-Delivery", "X-Forgejo-Delivery"},
		anchor.Bitbucket: {"X-Request-UUID"},
		anchor.Plain:     {"Idempotency-Key"},
	}
	for _, name := range fields[host] {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
