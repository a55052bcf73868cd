package awswire

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// maxObject is the longest object in bytes. Next.js itself refuses to cache objects that are much
// smaller; this only bounds the disk space that one request can fill.
const maxObject = 128 << 20

func (h *handler) serveS3(w http.ResponseWriter, r *http.Request, ns string) {
	err := h.callS3(w, r, ns)
	if err == nil {
		return
	}
	var api *s3Error
	if !errors.As(err, &api) {
		api = s3ErrorOf(err)
	}
	if api.status == http.StatusInternalServerError {
		h.Log.Error("a cache call of an app failed", "service", "s3", "method", r.Method, "path", r.URL.Path, "deploymentId", ns, "error", err)
	} else if api.status != http.StatusNotFound {
		h.Log.Warn("refused a cache call of an app", "service", "s3", "method", r.Method, "path", r.URL.Path, "deploymentId", ns, "error", err)
	}
	writeS3Error(w, r, api)
}

func (h *handler) callS3(w http.ResponseWriter, r *http.Request, ns string) error {
	bucket, key := bucketAndKey(r)
	if name := subresourceOf(r); name != "" {
		return notImplemented("the query parameter " + name)
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case bucket != CacheBucket && bucket != AssetBucket:
		return &s3Error{http.StatusNotFound, "NoSuchBucket", "There is no bucket " + bucket + " here: " + CacheBucket + " and " + AssetBucket + " exist."}
	case key == "":
		return notImplemented(r.Method + " of a bucket")
	case bucket == AssetBucket && read:
		return h.getAsset(w, r, ns, key)
	case bucket == AssetBucket:
		return &s3Error{http.StatusForbidden, "AccessDenied", "The assets of a deployment cannot be written."}
	case read:
		return h.getObject(w, r, ns, key)
	case r.Method == http.MethodPut:
		return h.putObject(w, r, ns, key)
	case r.Method == http.MethodDelete:
		return h.deleteObject(w, r, ns, key)
	}
	return &s3Error{http.StatusMethodNotAllowed, "MethodNotAllowed", "An object takes GET, HEAD, PUT and DELETE."}
}

// bucketAndKey parses the path style, /bucket/key. The path is used as it arrived: keys may hold
// "//" and "..". The "lite" overrides do not encode a "?" in a key, so a query other than the SDK's
// x-id is the rest of the key.
func bucketAndKey(r *http.Request) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.URL.RawQuery != "" && !strings.HasPrefix(r.URL.RawQuery, "x-id=") && key != "" {
		key += "?" + r.URL.RawQuery
	}
	return bucket, key
}

// subresourceOf returns the query parameter that makes a request another S3 operation than the four
// answered here.
func subresourceOf(r *http.Request) string {
	query := r.URL.Query()
	for _, name := range []string{"acl", "attributes", "delete", "legal-hold", "list-type", "location", "partNumber", "restore",
		"retention", "select", "tagging", "torrent", "uploadId", "uploads", "versionId", "versions"} {
		if query.Has(name) {
			return name
		}
	}
	return ""
}

func (h *handler) getObject(w http.ResponseWriter, r *http.Request, ns, key string) error {
	o, err := h.Store.Get(r.Context(), ns, key)
	if err != nil {
		return err
	}
	defer o.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", o.ETag)
	w.Header().Set("Last-Modified", o.Modified.UTC().Format(httpDateMillis))
	http.ServeContent(w, r, "", time.Time{}, o)
	return nil
}

// httpDateMillis is http.TimeFormat with milliseconds. OpenNext compares an entry's age with the
// milliseconds of its tags' revalidation. With whole seconds, an entry rendered after the
// revalidation but in the same second would count as older and be rendered for every request. The
// AWS SDKs (Smithy's http-date has optional fractional seconds) and JavaScript's Date read them.
const httpDateMillis = "Mon, 02 Jan 2006 15:04:05.000 GMT"

// findAsset finds an original. OpenNext passes what follows the host in its URL. So a key can still be
// percent-encoded and have a query, such as the ?v=2 that gets a new picture past old caches, or a
// fragment, such as the #cart of a sprite.
func (h *handler) findAsset(ns, key string) (Asset, bool) {
	asset, ok := h.Assets(ns, key)
	if ok {
		return asset, true
	}
	if end := strings.IndexAny(key, "?#"); end >= 0 {
		key = key[:end]
	}
	if asset, ok = h.Assets(ns, key); ok {
		return asset, true
	}
	if decoded, err := url.PathUnescape(key); err == nil {
		return h.Assets(ns, decoded)
	}
	return Asset{}, false
}

// getAsset serves an original to the image function.
func (h *handler) getAsset(w http.ResponseWriter, r *http.Request, ns, key string) error {
	asset, ok := h.findAsset(ns, key)
	if !ok {
		return isr.ErrNotFound
	}
	f, err := os.Open(asset.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	contentType := asset.ContentType
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", contentType)
	if asset.CacheControl != "" {
		w.Header().Set("Cache-Control", asset.CacheControl)
	}
	http.ServeContent(w, r, "", stat.ModTime(), f)
	return nil
}

func (h *handler) putObject(w http.ResponseWriter, r *http.Request, ns, key string) error {
	for _, name := range []string{"X-Amz-Copy-Source", "If-Match", "If-None-Match", "Content-Encoding"} {
		if v := r.Header.Get(name); v != "" && v != "aws-chunked" {
			return notImplemented("the header " + name + ": " + v)
		}
	}
	body, err := openBody(http.MaxBytesReader(w, r.Body, maxObject), r.Header)
	if err != nil {
		return err
	}
	info, err := h.Store.Put(r.Context(), ns, key, madeAt(r.Header), body)
	if err != nil {
		return err
	}
	for _, c := range body.checks {
		if strings.HasPrefix(c.header, checksumPrefix) {
			w.Header().Set(c.header, base64.StdEncoding.EncodeToString(c.hash.Sum(nil)))
		}
	}
	w.Header().Set("ETag", info.ETag)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// headerMade is when the making of the entry began that a PutObject stores, in Unix milliseconds. The
// worker's bootstrap sends it; S3 knows only when an object was stored, and a tag may be revalidated in between.
const headerMade = "X-Anchor-Made"

// madeAt returns the zero time for a client that is not a bootstrap.
func madeAt(header http.Header) time.Time {
	ms, err := strconv.ParseInt(header.Get(headerMade), 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (h *handler) deleteObject(w http.ResponseWriter, r *http.Request, ns, key string) error {
	if err := h.Store.Delete(r.Context(), ns, key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
