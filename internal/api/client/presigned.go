package client

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// storageSenders is how many contents are sent at a time: S3 takes each in one request, and
// answers a small one after some 50 ms, whatever else is under way.
const storageSenders = 32

// Presign asks for URLs to send contents to, at most wire.MaxPresign at a time.
func (c *Client) Presign(ctx context.Context, project string, d anchor.DeploymentID, digests []artifact.Digest) ([]artifact.Upload, error) {
	cl, err := send(http.MethodPost, deploymentPath(project, d, "uploads"), wire.Presign{Digests: digests})
	if err != nil {
		return nil, err
	}
	cl.once = false // it changes nothing
	signed, err := fetch[wire.Presigned](ctx, c, cl)
	return signed.Uploads, err
}

// newStorage returns a client for presigned URLs. It has no token, and follows no redirect away
// from the URL of the request.
func newStorage(transport *http.Transport) *http.Client {
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = storageSenders
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// sendPresigned sends each content to its URL.
func (u *uploading) sendPresigned(ctx context.Context, missing []artifact.Digest) error {
	for _, d := range missing {
		if _, ok := u.files[d]; !ok {
			return fmt.Errorf("the server asked for %s, which is not a file of this upload", d)
		}
	}
	for len(missing) > 0 {
		batch := missing[:min(wire.MaxPresign, len(missing))]
		missing = missing[len(batch):]
		signed, err := u.client.Presign(ctx, u.project, u.deployment, batch)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(storageSenders)
		for _, to := range signed {
			group.Go(func() error { return u.store(ctx, to) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// store sends one content, again where that can help: to the same URL after a broken
// connection, to a fresh one when the URL is refused.
func (u *uploading) store(ctx context.Context, to artifact.Upload) error {
	f, ok := u.files[to.Digest]
	if !ok {
		return fmt.Errorf("the server signed a URL for %s, which is not a file of this upload", to.Digest)
	}
	expired := false
	err := retry.Do(ctx, u.client.repeatPolicy(), func() (err error) {
		if expired {
			if to, err = u.renewURL(ctx, to); err != nil {
				return err
			}
		}
		err = u.client.putToStorage(ctx, to, f.Size, func() (io.ReadCloser, error) { return u.open(f) })
		refused := (*storageRefusal)(nil)
		expired = errors.As(err, &refused) && refused.expired()
		if expired || refused.isTemporary() || isConnectionError(err) {
			return retry.Again(err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("upload %s: %w", f.Path, u.client.explainStoreError(ctx, f, to, err))
	}
	u.add(1, f.Size)
	return nil
}

// renewURL returns a fresh URL for the content, or the old one from a server that signs none.
func (u *uploading) renewURL(ctx context.Context, to artifact.Upload) (artifact.Upload, error) {
	signed, err := u.client.Presign(ctx, u.project, u.deployment, []artifact.Digest{to.Digest})
	if err != nil || len(signed) != 1 {
		return to, err
	}
	return signed[0], nil
}

func (c *Client) putToStorage(ctx context.Context, to artifact.Upload, size int64, open func() (io.ReadCloser, error)) error {
	body, err := open()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.URL, c.countBody(body))
	if err != nil {
		body.Close()
		return fmt.Errorf("request the storage: %w", err)
	}
	if req.ContentLength = size; size == 0 {
		body.Close()
		req.Body = http.NoBody
	}
	for name, value := range to.Header {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", userAgent)
	res, err := c.storage.Do(req)
	if err != nil {
		return err
	}
	defer drain(res)
	if res.StatusCode/100 == 2 {
		return nil
	}
	refused := &storageRefusal{Status: res.StatusCode}
	_ = xml.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(refused) // a proxy's page has no code
	return refused
}

// storageRefusal is an error of S3 (Amazon S3 API Reference, "Error responses").
type storageRefusal struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func (r *storageRefusal) Error() string {
	return fmt.Sprintf("the storage answered %d %s: %s", r.Status, r.Code, r.Message)
}

// expired reports whether another URL may be accepted: this one's time, or that of the
// credentials it was signed with, is over.
func (r *storageRefusal) expired() bool {
	return r.Status == http.StatusForbidden || r.Code == "ExpiredToken"
}

// isTemporary reports whether the same request may succeed in a moment.
func (r *storageRefusal) isTemporary() bool {
	if r == nil {
		return false
	}
	return r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Status == http.StatusTemporaryRedirect ||
		r.Code == "RequestTimeout" || r.Code == "IncompleteBody" || r.Code == "OperationAborted"
}

// explainStoreError describes why a content was not stored. URLs stay out of it: they are keys.
func (c *Client) explainStoreError(ctx context.Context, f artifact.File, to artifact.Upload, err error) error {
	host := to.URL
	if at, bad := url.Parse(to.URL); bad == nil {
		host = at.Scheme + "://" + at.Host
	}
	var refused *storageRefusal
	var ours *brokenBody
	var server *Unreachable
	var known *anchor.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &ours), errors.As(err, &server), errors.As(err, &known):
		return err
	case !errors.As(err, &refused):
		return &Unreachable{URL: host, Err: err}
	case refused.Code == "BadDigest", refused.Code == "XAmzContentSHA256Mismatch":
		return fileChanged(f, refused)
	case refused.isTemporary():
		return &anchor.Error{Kind: anchor.KindBusy, Code: "storage_busy", Message: "the storage at " + host + " is busy", Err: refused,
			Hint: "Deploy again in a moment; files that have arrived are not sent again."}
	}
	return anchor.Failed("upload_refused", "the storage at %s refused the content", host).Because(refused).
		Hintf("Check the clock of this machine, and that no proxy changes the requests; then deploy again.")
}

func fileChanged(f artifact.File, cause error) error {
	return anchor.Conflict("file_changed", "%s changed after the build was scanned", f.Path).Because(cause).
		Hintf("Wait until the build is done, then deploy again.")
}
