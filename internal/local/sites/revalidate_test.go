package sites

import (
	"testing"
)

func TestProbe_FollowsSlashRedirectOnly(t *testing.T) {
	t.Parallel()
	for target, c := range map[string]struct {
		status       int
		location, to string
	}{
		"/manual":         {308, "/manual/", "/manual/"},
		"/manual/":        {308, "/manual", "/manual"},
		"/manual?x=1":     {308, "https://shop.test/manual/?x=1", "/manual/?x=1"},
		"/docs/de/manual": {308, "/docs/de/manual/", "/docs/de/manual/"},
		"/%C3%BC":         {308, "/%C3%BC/", "/%C3%BC/"},
		"/ü":              {308, "/%C3%BC/", "/%C3%BC/"},
		"/old":            {308, "/new", ""},
		"/old/":           {308, "/new", ""},
		"/same":           {308, "/same", ""},
		"//manual":        {308, "/manual", ""},
		"/login":          {307, "/login/", ""},
		"/nothing":        {404, "/nothing/", ""},
		"/bad":            {308, "%", ""},
	} {
		got := newAnswer()
		got.Header().Set("Location", c.location)
		got.WriteHeader(c.status)
		if to, ok := otherSlash(got, target); ok != (c.to != "") || ok && to != c.to {
			t.Errorf("%s: %q, %v", target, to, ok)
		}
	}
}

// The target comes from the app. Characters that cannot be part of a request line must not end the
// server.
func TestRevalidate_EncodesOrRefusesTarget(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/a b":          "/a%20b",
		"/ü?q=ö":        "/%C3%BC?q=ö",
		"/a%2Fb?x=%26":  "/a%2Fb?x=%26",
		"//x":           "//x",
		"/a\r\nHost: x": "", "/100%": "", "relative": "", "": "", "https://other.example/x": "", "*": "",
	} {
		u, err := requestTarget(target)
		if (err == nil) != (want != "") || err == nil && u.RequestURI() != want {
			t.Errorf("%q: %v, %v", target, u, err)
		}
	}
}
