package staticfile_test

import (
	"mime"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
)

func TestMediaType(t *testing.T) {
	for name, want := range map[string]string{
		"_next/static/chunks/app/[slug]/page-1a.js": "text/javascript; charset=utf-8",
		"a.b/UPPER.JPG":                          "image/jpeg",
		"site.webmanifest":                       "application/manifest+json",
		".well-known/apple-app-site-association": "application/json",
		"BUILD_ID":                               "application/octet-stream",
		"film.unheard-of":                        "application/octet-stream",
		"film/1.ts":                              "video/mp2t",
		"film/index.m3u8":                        "application/vnd.apple.mpegurl",
		"openapi.yaml":                           "application/yaml",
		".css":                                   "text/css; charset=utf-8",
		"photo.HEIC":                             "image/heic",
		"film/manifest.mpd":                      "application/dash+xml",
		"map.topojson":                           "application/topo+json",
		"logo.svgz":                              "image/svg+xml",
		"report.docx":                            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	} {
		if got := staticfile.MediaType(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The mime package reads the machine's files, and a test can add types to it.
func TestMediaType_DoesNotDependOnMachine(t *testing.T) {
	if err := mime.AddExtensionType(".only-here", "application/x-only-here"); err != nil {
		t.Fatal(err)
	}
	if got := staticfile.MediaType("a.only-here"); got != "application/octet-stream" {
		t.Errorf("a type of this machine is sent to browsers: %q", got)
	}
}

func TestContentEncoding(t *testing.T) {
	for name, want := range map[string]string{"logo.svgz": "gzip", "LOGO.SVGZ": "gzip", "logo.svg": "", "app.js.gz": "", "svgz": ""} {
		if got := staticfile.ContentEncoding(name); got != want {
			t.Errorf("%s has the coding %q, want %q", name, got, want)
		}
	}
}

func TestCacheControl(t *testing.T) {
	for name, want := range map[string]string{
		"_next/static/css/1a.css":      staticfile.Immutable,
		"_next/data/1a.json":           staticfile.Revalidate,
		"docs/_next/static/css/1a.css": staticfile.Revalidate, // the base path is not part of a name
		"index.html":                   staticfile.Revalidate,
	} {
		if got := staticfile.CacheControl(name); got != want {
			t.Errorf("%s may be kept %q, want %q", name, got, want)
		}
	}
}
