package fronttest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// originOf returns the behavior's origin with the function's changes.
func originOf(d *types.DistributionSummary, b behavior, change *originChange) (types.Origin, error) {
	id := b.origin
	if change != nil && change.ID != "" {
		id = change.ID
	}
	for _, o := range d.Origins.Items {
		if sdk.ToString(o.Id) != id {
			continue
		}
		if change != nil && change.DomainName != "" {
			o.DomainName = sdk.String(change.DomainName)
		}
		if change != nil && change.OriginPath != nil {
			o.OriginPath = change.OriginPath
		}
		if change != nil && change.CustomHeaders != nil {
			o.CustomHeaders = &types.CustomHeaders{}
			for name, value := range change.CustomHeaders {
				o.CustomHeaders.Items = append(o.CustomHeaders.Items, types.OriginCustomHeader{HeaderName: sdk.String(name), HeaderValue: sdk.String(value)})
			}
		}
		return o, nil
	}
	return types.Origin{}, fmt.Errorf("the distribution has no origin %q", id)
}

// file answers from a bucket, as S3 does for a reader that may list it: 404 for an object that
// does not exist. Without an origin access control, reading is refused.
func (e *Edge) file(w http.ResponseWriter, r *http.Request, origin types.Origin, m message) error {
	if _, err := e.cloudfront.GetOriginAccessControl(r.Context(), &cloudfront.GetOriginAccessControlInput{Id: origin.OriginAccessControlId}); err != nil {
		w.WriteHeader(http.StatusForbidden)
		return nil
	}
	bucket, _, _ := strings.Cut(sdk.ToString(origin.DomainName), ".s3.")
	key, err := url.PathUnescape(sdk.ToString(origin.OriginPath) + m.URI)
	if err != nil {
		return err
	}
	in := &s3.GetObjectInput{Bucket: sdk.String(bucket), Key: sdk.String(strings.TrimPrefix(key, "/"))}
	if h := m.header(); h.Get("Range") != "" {
		in.Range = sdk.String(h.Get("Range"))
	}
	if tag := m.header().Get("If-None-Match"); tag != "" {
		in.IfNoneMatch = sdk.String(tag)
	}
	out, err := e.s3.GetObject(r.Context(), in)
	if err != nil {
		var refused *awshttp.ResponseError
		if !errors.As(err, &refused) {
			return err
		}
		w.WriteHeader(refused.HTTPStatusCode())
		return nil
	}
	defer out.Body.Close()
	for name, value := range map[string]*string{
		"Content-Type": out.ContentType, "Cache-Control": out.CacheControl, "Etag": out.ETag,
		"Content-Encoding": out.ContentEncoding, "Content-Range": out.ContentRange,
	} {
		if sdk.ToString(value) != "" {
			w.Header().Set(name, *value)
		}
	}
	w.Header().Set("Content-Length", strconv.FormatInt(sdk.ToInt64(out.ContentLength), 10))
	if out.ContentRange != nil && *out.ContentRange != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, out.Body)
	}
	return nil
}

// function passes the request on to a function URL, which the emulator serves by Host.
func (e *Edge) function(w http.ResponseWriter, r *http.Request, origin types.Origin, m message) error {
	host := sdk.ToString(origin.DomainName)
	path := sdk.ToString(origin.OriginPath) + m.URI
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return err
	}
	header := m.header()
	if origin.CustomHeaders != nil {
		for _, h := range origin.CustomHeaders.Items {
			header.Set(sdk.ToString(h.HeaderName), sdk.ToString(h.HeaderValue))
		}
	}
	header.Set("Via", "2.0 fronttest (CloudFront)")
	proxy := &httputil.ReverseProxy{
		Transport: e.transport, FlushInterval: -1,
		Rewrite: func(out *httputil.ProxyRequest) {
			out.Out.URL = &url.URL{Scheme: "http", Host: host, Path: decoded, RawPath: path, RawQuery: unpair(m.Querystring, "&")}
			out.Out.Host, out.Out.Header = host, header
			out.Out.Header.Set("X-Forwarded-For", "192.0.2.1")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	proxy.ServeHTTP(w, r)
	return nil
}
