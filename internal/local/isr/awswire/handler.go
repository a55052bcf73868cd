package awswire

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// Asset is a file of the deployment that the image function may read.
type Asset struct {
	Path         string
	ContentType  string
	CacheControl string
}

// AssetSource returns an original by its key: the path of the public file without the leading
// slash.
type AssetSource func(ns, key string) (Asset, bool)

// Auth returns the namespace of an access key id.
type Auth func(accessKeyID string) (ns string, ok bool)

// Config holds the sources of a handler. With a nil Assets there are no originals. A nil Log means
// slog.Default.
type Config struct {
	Store      *isr.Store
	Queue      *isr.Queue
	Revalidate Revalidate
	Auth       Auth
	Assets     AssetSource
	Log        *slog.Logger
}

type handler struct{ Config }

// New returns the handler of all three services. The X-Amz-Target header, which the JSON protocols
// send, distinguishes them from S3.
func New(c Config) http.Handler {
	if c.Assets == nil {
		c.Assets = func(string, string) (Asset, bool) { return Asset{}, false }
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &handler{c}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Anchor")
	w.Header().Set("x-amzn-RequestId", rand.Text())
	service, operation, isJSON := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	ns, ok := h.Auth(accessKeyID(r))
	switch {
	case isJSON:
		h.serveJSON(w, r, ns, ok, service, operation)
	case !ok:
		writeS3Error(w, r, s3Forbidden)
	default:
		h.serveS3(w, r, ns)
	}
}

// accessKeyID returns the key id in the Authorization header of Signature Version 4:
// "AWS4-HMAC-SHA256 Credential=<key id>/<date>/<region>/<service>/aws4_request, SignedHeaders=...,
// Signature=...".
func accessKeyID(r *http.Request) string {
	scheme, params, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "AWS4-HMAC-SHA256" {
		return ""
	}
	for param := range strings.SplitSeq(params, ",") {
		if scope, ok := strings.CutPrefix(strings.TrimSpace(param), "Credential="); ok {
			id, _, _ := strings.Cut(scope, "/")
			return id
		}
	}
	return ""
}
