package asset

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A tag that a client got with any coding is valid for every precondition (RFC 9110, sections
// 13.1.1, 13.1.2, 13.2.2).
func TestServe_PreconditionsOfVariants(t *testing.T) {
	index := write(t, site).build(t, "")
	tags := map[string]string{}
	for _, coding := range []string{"identity", "gzip", "zstd", "br"} {
		tags[coding] = get(t, index, "/robots.txt", "Accept-Encoding", coding).Header.Get("Etag")
	}
	for held, tag := range tags {
		for _, accept := range []string{"identity", "gzip", "br", "gzip, br"} {
			for _, c := range []struct {
				headers []string
				status  int
			}{
				{[]string{"If-Match", tag}, 200},
				{[]string{"If-Match", `"other", ` + tag}, 200},
				{[]string{"If-Match", tag, "Range", "bytes=0-3"}, 206},
				{[]string{"If-Match", "W/" + tag}, 412}, // compared strongly
				{[]string{"If-Match", `"other"`, "Range", "bytes=0-3"}, 412},
				{[]string{"If-Match", `"other"`, "If-None-Match", tag}, 412}, // in this order
				{[]string{"If-Match", "*"}, 200},
				{[]string{"If-None-Match", tag, "Range", "bytes=0-3"}, 304},
				{[]string{"If-None-Match", "W/" + tag, "Range", "bytes=0-3"}, 304},
				{[]string{"If-None-Match", tag, "Range", "bytes=9999999-"}, 304},
				{[]string{"If-None-Match", `"other"`, "Range", "bytes=0-3"}, 206},
				{[]string{"If-Match", tag, "If-None-Match", `"other"`}, 200},
			} {
				got := get(t, index, "/robots.txt", append([]string{"Accept-Encoding", accept}, c.headers...)...)
				if got.StatusCode != c.status {
					t.Errorf("with the tag of %s, accepting %s: %q gets %d, want %d", held, accept, c.headers, got.StatusCode, c.status)
				}
				if got.StatusCode == 304 && got.Header.Get("Etag") != tag {
					t.Errorf("%q: a 304 for %s names %s", c.headers, tag, got.Header.Get("Etag"))
				}
			}
		}
	}
}

// All three forms of a date are understood (RFC 9110, section 5.6.7).
func TestParseDate_AllForms(t *testing.T) {
	index := write(t, site).build(t, "")
	for _, form := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		for name, c := range map[string]struct {
			field string
			at    time.Time
			want  int
		}{
			"unmodified since": {"If-Modified-Since", built, 304},
			"before":           {"If-Modified-Since", built.Add(-time.Second), 200},
			"a later date":     {"If-Modified-Since", built.Add(time.Hour), 200}, // of a deployment that was rolled back
			"not modified":     {"If-Unmodified-Since", built, 200},
			"later, too":       {"If-Unmodified-Since", built.Add(time.Hour), 200},
			"modified":         {"If-Unmodified-Since", built.Add(-time.Second), 412},
		} {
			for _, part := range []bool{false, true} {
				headers, want := []string{c.field, c.at.Format(form)}, c.want
				if part {
					headers = append(headers, "Range", "bytes=0-")
					if want == 200 {
						want = 206
					}
				}
				if got := get(t, index, "/hello.txt", headers...).StatusCode; got != want {
					t.Errorf("%s, %q: status %d, want %d", name, headers, got, want)
				}
			}
		}
	}
	for _, nonsense := range []string{"", "yesterday", "Wed, 04 Mar 2026 05:06:07 CET"} {
		for _, field := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
			if got := get(t, index, "/hello.txt", field, nonsense).StatusCode; got != 200 {
				t.Errorf("%s: %q gets %d, want it ignored", field, nonsense, got)
			}
		}
	}
}

// RFC 9110, sections 14.1 and 14.1.2.
func TestServe_RangeSuffixesAndUnits(t *testing.T) {
	index := write(t, site).build(t, "")
	for ranges, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=-0":       {416, ""},
		"bytes=-000":     {416, ""},
		"bytes= -0":      {416, ""},
		"bytes=-0,-0":    {416, ""},
		"bytes=0-0,-0":   {206, "h"},
		"bytes=-0, 4-4":  {206, "o"},
		"bytes=-1":       {206, "o"},
		"bytes=-01":      {206, "o"},
		"bytes=-99":      {206, "hello"},
		"Bytes=0-1":      {206, "he"},
		"BYTES=-1":       {206, "o"},
		"bytes=5-":       {416, ""},
		"bytes=2-1":      {416, ""},
		"octets=0-1":     {200, "hello"},
		"bytes=4-99":     {206, "o"},
		"bytes=0-0, 9-9": {206, "h"},
	} {
		got := get(t, index, "/hello.txt", "Range", ranges)
		if text := body(t, got); got.StatusCode != want.status || want.body != "" && text != want.body {
			t.Errorf("%s: %d %q, want %d %q", ranges, got.StatusCode, text, want.status, want.body)
		}
		if got.StatusCode == 416 && strings.HasPrefix(ranges, "bytes=-0") && got.Header.Get("Content-Range") != "bytes */5" {
			t.Errorf("%s: Content-Range %q", ranges, got.Header.Get("Content-Range"))
		}
	}
	if got := get(t, index, "/hello.txt", "Range", "bytes=-0", "If-Range", `"old"`); got.StatusCode != 200 {
		t.Errorf("a part of an older file: %d, want the whole file", got.StatusCode)
	}
}

// An .svgz file is compressed on disk, and a browser must learn that from its header.
func TestServe_FilesCodedOnDisk(t *testing.T) {
	var svgz bytes.Buffer
	z := gzip.NewWriter(&svgz)
	z.Write([]byte("<svg>" + noise(4000) + "</svg>"))
	z.Close()
	index := write(t, map[string]string{"logo.svgz": svgz.String()}).build(t, "")
	for _, accept := range []string{"", "br", "gzip", "identity"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := ask(t, index, method, "/logo.svgz", "Accept-Encoding", accept)
			if got.Header.Get("Content-Encoding") != "gzip" || got.Header.Get("Content-Type") != "image/svg+xml" {
				t.Errorf("%s, accepting %q: %v", method, accept, got.Header)
			}
			if method == http.MethodGet && !strings.HasPrefix(body(t, got), "<svg>") {
				t.Error("the picture did not come back")
			}
		}
	}
	part := get(t, index, "/logo.svgz", "Range", "bytes=0-1")
	if part.StatusCode != 206 || part.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a part: %d %v", part.StatusCode, part.Header)
	}
}

func TestCompressible(t *testing.T) {
	for mediaType, want := range map[string]bool{
		"text/html": true, "TEXT/HTML; charset=utf-8": true, " text/css ;x": true, "application/javascript": true,
		"Application/X-NDJSON": true, "application/ndjson": true, "application/ld+JSON": true, "image/svg+xml": true,
		"application/vnd.x+y+json": true, "application/json": true, "image/png": false, "application/octet-stream": false,
		"": false, "json": false, "video/mp4": false, "application/zip": false,
	} {
		if got := Compressible(mediaType); got != want {
			t.Errorf("%q: %v, want %v", mediaType, got, want)
		}
	}
}
