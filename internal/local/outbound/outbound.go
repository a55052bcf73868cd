// Package outbound sends messages to addresses that an administrator named: of webhooks, collectors and log servers.
package outbound

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/retry"
)

const (
	// Timeout bounds one attempt.
	Timeout = 20 * time.Second
	// longestWait is the most of a Retry-After that is honoured, so that one answer cannot stop a drain for a day.
	longestWait = 10 * time.Minute
	// maxAnswer is how many octets of an answer are read, and maxReason how many of a refusal are part of the error.
	maxAnswer, maxReason = 64 << 10, 200
)

// Client sends messages. The zero value trusts the certificates of the system and bounds an attempt by Timeout.
type Client struct {
	HTTP    *http.Client  // of New
	Timeout time.Duration // of one attempt
}

var client = New(nil)

// New returns an HTTP client that does not follow redirects: the address that an administrator named gets the message, and no
// other. A nil config is that of the system.
func New(config *tls.Config) *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if config != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nothing of ours replaces it
		transport.TLSClientConfig = config
		c.Transport = transport
	}
	return c
}

// Post is Client.Post of the zero value.
func Post(ctx context.Context, to string, header http.Header, body []byte) ([]byte, error) {
	return Client{}.Post(ctx, to, header, body)
}

// Post sends a body and returns that of the answer, up to 64 KiB. An error after which another attempt may succeed is marked
// for retry.Do: no answer, and the statuses 408, 429 and 5xx, with their Retry-After (RFC 9110, section 10.2.3). No error
// contains the URL, in which Slack and others have a secret.
func (c Client) Post(ctx context.Context, to string, header http.Header, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", "Anchor")
	res, err := cmp.Or(c.HTTP, client).Do(req)
	if err != nil {
		return nil, retry.Again(withoutURL(err))
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // to its end, so that the connection can be used again
	if res.StatusCode < 300 {
		return answer, retry.Again(err)
	}
	return nil, refusal(res, answer)
}

func refusal(res *http.Response, answer []byte) error {
	reason, _, _ := strings.Cut(strings.TrimSpace(string(answer[:min(len(answer), maxReason)])), "\n")
	err := fmt.Errorf("the answer is %s", res.Status)
	if reason != "" {
		err = fmt.Errorf("%w: %s", err, strings.ToValidUTF8(reason, ""))
	}
	switch s := res.StatusCode; {
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return retry.AgainAfter(err, min(retry.After(res.Header, time.Now()), longestWait))
	}
	return err
}

func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
