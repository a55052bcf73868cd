package cache

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever a response's fields say, RFC 9111's prohibitions hold (section 3), and a lifetime is a
// duration in which the response has not expired yet (section 4.2).
func FuzzJudge(f *testing.F) {
	f.Add(200, "public, max-age=60", "Thu, 01 Jan 1970 00:00:00 GMT", "0", "9", "", "", int64(0))
	f.Add(404, "s-maxage=9999999999999999999", "", "Sun, 06 Nov 1994 08:49:37 GMT", "99999999999999999999, 1", "Sunday, 06-Nov-94 08:49:37 GMT", "accept", int64(1<<40))
	f.Add(302, "public", "yesterday", "", "-1", "Sun Nov  6 08:49:37 1994", "*", int64(-1))
	f.Fuzz(func(t *testing.T, status int, control, date, expires, age, modified, vary string, second int64) {
		now := time.Unix(second%(1<<40), 0)
		h := http.Header{}
		for name, value := range map[string]string{"Cache-Control": control, "Date": date, "Expires": expires, "Age": age, "Last-Modified": modified, "Vary": vary} {
			if value != "" {
				h.Set(name, value)
			}
		}
		before := h.Clone()
		life, reason := Judge(status, h, ByAnyField, now)
		switch {
		case reason != "" && life != (Lifetime{}):
			t.Errorf("refused as %q, with %+v", reason, life)
		case reason == "" && (life.Fresh < 0 || life.StaleWhileRevalidate < 0 || life.StaleIfError < 0 || life.usable() <= initialAge(h, now)):
			t.Errorf("stored for %+v at an age of %v", life, initialAge(h, now))
		}
		for _, forbidden := range [][2]string{{"Set-Cookie", "a=b"}, {"Cache-Control", "no-store"}, {"Cache-Control", "private"}, {"Vary", "*"}, {"Content-Range", "bytes 0-1/2"}} {
			more := h.Clone()
			more.Add(forbidden[0], forbidden[1])
			if _, reason := Judge(status, more, ByAnyField, now); reason == "" {
				t.Errorf("stored in spite of %s", forbidden)
			}
		}
		for name, lines := range before {
			if !slices.Equal(h[name], lines) {
				t.Errorf("%s is changed to %q", name, h[name])
			}
		}
	})
}

// The lines of a list-valued field are one list (RFC 9110, section 5.3).
func FuzzVary(f *testing.F) {
	f.Add("Accept, accept", "*")
	f.Add(" ,,cookie\t,", "rsc")
	f.Fuzz(func(t *testing.T, one, two string) {
		names := VaryOf(http.Header{"Vary": {one, two}})
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || slices.Contains(names, "") {
			t.Errorf("%q", names)
		}
		if joined := VaryOf(http.Header{"Vary": {one + "," + two}}); !slices.Equal(joined, names) {
			t.Errorf("in one line %q, in two %q", joined, names)
		}
		if star := strings.TrimSpace(two) == "*"; star && !slices.Contains(names, "*") {
			t.Errorf("%q hides *", one)
		}
		if a, b := Joined([]string{one, two}), Joined([]string{one + " ,\t" + two}); a != b {
			t.Errorf("%q in two lines, %q in one", a, b)
		}
		if Joined([]string{one}) == Joined(nil) {
			t.Errorf("%q counts as no field", one)
		}
	})
}

// A 304 needs a tag of the request that is the response's (RFC 9110, section 13.1.2).
func FuzzNotModified(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add(`"a`, `W/"a"`)
	f.Add(`*`, ``)
	f.Fuzz(func(t *testing.T, field, tag string) {
		response := http.Header{"Etag": {tag}}
		got := NotModified(http.Header{"If-None-Match": {field}}, response)
		if got && !strings.Contains(field, "*") && !strings.Contains(field, strings.TrimPrefix(tag, "W/")) {
			t.Errorf("%q matches %q", field, tag)
		}
		if twice := NotModified(http.Header{"If-None-Match": {field, field}}, response); twice != got {
			t.Errorf("%q: once %t, twice %t", field, got, twice)
		}
	})
}
