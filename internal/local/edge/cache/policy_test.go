package cache

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

var receivedAt = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// header builds a header of name, value pairs.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func ago(d time.Duration) string { return receivedAt.Add(-d).Format(http.TimeFormat) }

func TestJudge(t *testing.T) {
	const s = time.Second
	tests := []struct {
		section string
		status  int
		header  http.Header
		life    Lifetime
		why     Reason
	}{
		{"9111 3: a lifetime alone is for browsers", 200, header("Cache-Control", "max-age=60"), Lifetime{}, "not-shared"},
		{"9111 3: nothing is said", 200, header(), Lifetime{}, "not-shared"},
		{"9111 3: a status that is not stored", 500, header("Cache-Control", "s-maxage=60"), Lifetime{}, "status"},
		{"9111 3.3: a part", 206, header("Cache-Control", "s-maxage=60"), Lifetime{}, "status"},
		{"9111 3.3: a part with another status", 200, header("Cache-Control", "s-maxage=60", "Content-Range", "bytes 0-1/2"), Lifetime{}, "partial"},
		{"9111 7.3: a cookie", 200, header("Cache-Control", "public, s-maxage=60", "Set-Cookie", "a=b"), Lifetime{}, "set-cookie"},
		{"9111 4.1: Vary: *", 200, header("Cache-Control", "s-maxage=60", "Vary", "Accept, *"), Lifetime{}, "vary"},
		{"9111 5.2.2.5: no-store", 200, header("Cache-Control", "s-maxage=60, no-store"), Lifetime{}, "no-store"},
		{"9111 5.2.2.5: no-store in another line and case", 200, header("Cache-Control", "s-maxage=60", "Cache-Control", "No-Store"), Lifetime{}, "no-store"},
		{"9111 5.2.2.7: private", 200, header("Cache-Control", "private, s-maxage=60"), Lifetime{}, "private"},
		{"9111 5.2.2.7: private for a field", 200, header("Cache-Control", `private="set-cookie", s-maxage=60`), Lifetime{}, "private"},
		{"9111 5.2.2.4: no-cache", 200, header("Cache-Control", "no-cache, s-maxage=60"), Lifetime{}, "no-cache"},
		{"9111 5.2.2.4: no-cache for a field", 200, header("Cache-Control", `no-cache="a, b", s-maxage=60`), Lifetime{}, "no-cache"},
		{"9111 5.2.2.10: s-maxage", 200, header("Cache-Control", "max-age=1, s-maxage=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.2.2.9: public with max-age", 200, header("Cache-Control", "public, max-age=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.2.2.9: public with max-age=0", 200, header("Cache-Control", "public, max-age=0, must-revalidate"), Lifetime{}, "expired"},
		{"9111 5.2: a quoted number", 200, header("Cache-Control", `s-maxage="60"`), Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.2: a quoted string with commas", 200, header("Cache-Control", `x="no-store, \"private", s-maxage=60`), Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.2: a quoted string that does not end", 200, header("Cache-Control", `s-maxage="60`), Lifetime{}, "expired"},
		{"9111 5.2: garbage behind a quoted string", 200, header("Cache-Control", `s-maxage="60"x`), Lifetime{}, "expired"},
		{"9111 5.2.3: unknown directives", 200, header("Cache-Control", "foo, bar=1, =, ,, s-maxage=60, immutable"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 4.2.1: no number", 200, header("Cache-Control", "s-maxage=1h"), Lifetime{}, "expired"},
		{"9111 4.2.1: a negative number", 200, header("Cache-Control", "s-maxage=-60"), Lifetime{}, "expired"},
		{"9111 4.2.1: a fraction", 200, header("Cache-Control", "s-maxage=60.5"), Lifetime{}, "expired"},
		{"9111 4.2.1: no value", 200, header("Cache-Control", "s-maxage"), Lifetime{}, "expired"},
		{"9111 4.2.1: two values", 200, header("Cache-Control", "s-maxage=60, s-maxage=61"), Lifetime{}, "expired"},
		{"9111 4.2.1: one value twice", 200, header("Cache-Control", "s-maxage=60", "Cache-Control", "s-maxage=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 1.2.2: a huge number", 200, header("Cache-Control", "s-maxage=99999999999999999999999"), Lifetime{Fresh: 1<<31*s - s}, ""},
		{"9111 5.3: Expires", 200, header("Cache-Control", "public", "Expires", ago(-90*s)), Lifetime{Fresh: 90 * s}, ""},
		{"9111 5.3: Expires from Date", 200, header("Cache-Control", "public", "Date", ago(30*s), "Expires", ago(-60*s)), Lifetime{Fresh: 90 * s}, ""},
		{"9111 5.3: max-age takes precedence", 200, header("Cache-Control", "public, max-age=60", "Expires", ago(90*s)), Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.3: an invalid date", 200, header("Cache-Control", "public", "Expires", "0"), Lifetime{}, "expired"},
		{"9111 5.3: two dates", 200, header("Cache-Control", "public", "Expires", ago(-90*s), "Expires", ago(-91*s)), Lifetime{}, "expired"},
		{"9111 4.2.2: a heuristic", 200, header("Cache-Control", "public", "Last-Modified", ago(600*s)), Lifetime{Fresh: 60 * s}, ""},
		{"9111 4.2.2: the longest heuristic", 200, header("Cache-Control", "public", "Last-Modified", ago(9999*time.Hour)), Lifetime{Fresh: 24 * time.Hour}, ""},
		{"9111 4.2.2: modified in the future", 200, header("Cache-Control", "public", "Last-Modified", ago(-600*s)), Lifetime{}, "expired"},
		{"9111 4.2.2: no heuristic for a temporary redirect", 307, header("Cache-Control", "public", "Last-Modified", ago(600*s)), Lifetime{}, "expired"},
		{"9110 15.4.8: a temporary redirect", 307, header("Cache-Control", "s-maxage=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9110 15.5.5: 404", 404, header("Cache-Control", "s-maxage=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 4.2.3: Age", 200, header("Cache-Control", "s-maxage=60", "Age", "59"), Lifetime{Fresh: 60 * s}, ""},
		{"9111 4.2.3: too old", 200, header("Cache-Control", "s-maxage=60", "Age", "60"), Lifetime{}, "expired"},
		{"9111 4.2.3: too old by its Date", 200, header("Cache-Control", "s-maxage=60", "Date", ago(60*s)), Lifetime{}, "expired"},
		{"9111 5.1: the first Age", 200, header("Cache-Control", "s-maxage=60", "Age", "1, 100"), Lifetime{Fresh: 60 * s}, ""},
		{"5861 3: stale-while-revalidate", 200, header("Cache-Control", "s-maxage=60, stale-while-revalidate=5"),
			Lifetime{Fresh: 60 * s, StaleWhileRevalidate: 5 * s}, ""},
		{"5861 3: from the start", 200, header("Cache-Control", "s-maxage=0, stale-while-revalidate=5"), Lifetime{StaleWhileRevalidate: 5 * s}, ""},
		{"5861 3: without a number", 200, header("Cache-Control", "s-maxage=60, stale-while-revalidate"), Lifetime{Fresh: 60 * s}, ""},
		{"5861 4: stale-if-error", 200, header("Cache-Control", "s-maxage=60, stale-if-error=5"), Lifetime{Fresh: 60 * s, StaleIfError: 5 * s}, ""},
		{"9111 5.2.2.2: must-revalidate", 200, header("Cache-Control", "s-maxage=60, must-revalidate, stale-while-revalidate=5, stale-if-error=5"),
			Lifetime{Fresh: 60 * s}, ""},
		{"9111 5.2.2.8: proxy-revalidate", 200, header("Cache-Control", "s-maxage=60, proxy-revalidate, stale-if-error=5"), Lifetime{Fresh: 60 * s}, ""},
		{"9213 2.2: the targeted field counts", 200, header("Cache-Control", "private, no-store", "CDN-Cache-Control", "max-age=60"), Lifetime{Fresh: 60 * s}, ""},
		{"9213 2.2: Anchor's comes first", 200, header("CDN-Cache-Control", "max-age=60", "Anchor-CDN-Cache-Control", "max-age=30"), Lifetime{Fresh: 30 * s}, ""},
		{"9213 2.2: it forbids", 200, header("Cache-Control", "s-maxage=60", "CDN-Cache-Control", "no-store"), Lifetime{}, "no-store"},
		{"9213 2.2: Expires counts for nothing", 200, header("Expires", ago(-90*s), "CDN-Cache-Control", "must-revalidate"), Lifetime{}, "expired"},
		{"9213 2.1: a malformed one is ignored", 200, header("Cache-Control", "s-maxage=60", "CDN-Cache-Control", "max-age=30,"), Lifetime{Fresh: 60 * s}, ""},
		{"9213 2.1: an empty one is ignored", 200, header("Cache-Control", "s-maxage=60", "CDN-Cache-Control", ""), Lifetime{Fresh: 60 * s}, ""},
		{"9213 2.1: names are in lower case", 200, header("Cache-Control", "s-maxage=60", "CDN-Cache-Control", "Max-Age=30"), Lifetime{Fresh: 60 * s}, ""},
		{"9213 2.1: a value of another type", 200, header("CDN-Cache-Control", "max-age=30.5"), Lifetime{}, "expired"},
		{"9213 2.1: a false Boolean", 200, header("CDN-Cache-Control", "no-store=?0, max-age=30"), Lifetime{Fresh: 30 * s}, ""},
		{"9213 2.1: several lines", 200, header("CDN-Cache-Control", "max-age=30", "CDN-Cache-Control", "stale-if-error=5"),
			Lifetime{Fresh: 30 * s, StaleIfError: 5 * s}, ""},
	}
	for _, test := range tests {
		life, why := Judge(test.status, test.header, ByAnyField, receivedAt)
		if life != test.life || why != test.why {
			t.Errorf("RFC %s: %v, %q; want %v, %q", test.section, life, why, test.life, test.why)
		}
	}
}

func TestJudge_ByAnchorField(t *testing.T) {
	for value, want := range map[string]Reason{"s-maxage=60": "middleware", "": "middleware"} {
		for _, name := range []string{"Cache-Control", "CDN-Cache-Control"} {
			if _, why := Judge(200, header(name, value), ByAnchorField, receivedAt); why != want {
				t.Errorf("%s: %s behind middleware: %q, want %q", name, value, why, want)
			}
		}
	}
	if life, why := Judge(200, header("Anchor-CDN-Cache-Control", "max-age=60"), ByAnchorField, receivedAt); why != "" || life.Fresh != time.Minute {
		t.Errorf("Anchor-CDN-Cache-Control behind middleware: %v, %q", life, why)
	}
}

// Whatever the fields say, an age never shrinks, freshness ends once, and nothing overflows.
func TestFreshnessNeverReturns(t *testing.T) {
	values := []string{"", "0", "1", "59", "60", "2147483648", "99999999999999999999", "-1", "x"}
	pick := func() string { return values[rand.IntN(len(values))] }
	for range 20_000 {
		h := header("Cache-Control", "public, s-maxage="+pick()+", stale-while-revalidate="+pick()+", stale-if-error="+pick())
		if rand.IntN(2) == 0 {
			h.Set("Age", pick())
		}
		if rand.IntN(2) == 0 {
			h.Set("Date", ago(time.Duration(rand.IntN(200)-100)*time.Second))
		}
		life, why := Judge(200, h, ByAnyField, receivedAt)
		if why != "" {
			continue
		}
		e := &facts{Lifetime: life, received: receivedAt, initialAge: initialAge(h, receivedAt)}
		before, beforeAge := Fresh, time.Duration(0)
		for _, after := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, time.Hour, 100 * 365 * 24 * time.Hour} {
			now := receivedAt.Add(after)
			state, age := e.State(now), e.Age(now)
			if state < before || age < beforeAge || age < 0 {
				t.Fatalf("%v: state %d, age %v after state %d, age %v", h, state, age, before, beforeAge)
			}
			if (state == Fresh) != (e.TTL(now) > 0) {
				t.Fatalf("%v: state %d with a TTL of %v", h, state, e.TTL(now))
			}
			before, beforeAge = state, age
		}
	}
}

func TestParseTargeted(t *testing.T) {
	valid := []string{
		"a", "a=1", "a;b=c;d, e", "a=(1 2;x \"y\"), b", "a=:aGVsbG8=:", "*a=tok/en:*", "a=-12.345", "max-age=60;x=?0", "a=?1, a=?0", "a=()",
		"a=\"\\\"\\\\\"", "a ,\tb",
	}
	for _, field := range valid {
		if _, ok := ParseTargeted([]string{field}); !ok {
			t.Errorf("RFC 8941 3.2: %q is refused", field)
		}
	}
	malformed := []string{
		"A", "1", "a=", "a=1,", ",a", "a,,b", "a=(1", "a=(1,2)", "a=\"x", "a=\"\\x\"", "a=\"\x7f\"", "a=?2", "a=1.", "a=1.2345",
		"a=1234567890123456", "a=1234567890123.1", "a b", "a;B", "a=:x", "a=é", "a\t=1", "a=--1",
	}
	for _, field := range malformed {
		if d, ok := ParseTargeted([]string{field}); ok {
			t.Errorf("RFC 8941 4.2: %q is taken as %+v", field, d)
		}
	}
}

func TestVary(t *testing.T) {
	names := VaryOf(header("Vary", "accept, RSC ,,Accept", "Vary", "x-b"))
	if len(names) != 3 || names[0] != "Accept" || names[1] != "Rsc" || names[2] != "X-B" {
		t.Errorf("RFC 9110 12.5.5: %q", names)
	}
	if Joined([]string{"a,b"}) != Joined([]string{"a", " b "}) {
		t.Error("RFC 9110 5.3: lines of a list differ from one line")
	}
	if Joined(nil) == Joined([]string{""}) {
		t.Error("RFC 9111 4.1: an absent field equals an empty one")
	}
	if Joined([]string{"ab"}) == Joined([]string{"a", "b"}) {
		t.Error("values run into each other")
	}
}

func TestNotModified(t *testing.T) {
	tests := []struct {
		section           string
		request, response http.Header
		want              bool
	}{
		{"9110 13.1.2: the tag", header("If-None-Match", `"a"`), header("Etag", `"a"`), true},
		{"9110 8.8.3.2: weakly", header("If-None-Match", `W/"a"`), header("Etag", `"a"`), true},
		{"9110 8.8.3.2: weakly, the other way", header("If-None-Match", `"a"`), header("Etag", `W/"a"`), true},
		{"9110 13.1.2: a list", header("If-None-Match", `"x,y", "a"`), header("Etag", `"a"`), true},
		{"9110 13.1.2: several lines", header("If-None-Match", `"x"`, "If-None-Match", `"a"`), header("Etag", `"a"`), true},
		{"9110 13.1.2: any", header("If-None-Match", "*"), header("Etag", `"a"`), true},
		{"9110 13.1.2: another", header("If-None-Match", `"b"`), header("Etag", `"a"`), false},
		{"9110 13.1.2: a part of the tag", header("If-None-Match", `"a`), header("Etag", `"a"`), false},
		{"9110 13.1.2: no tag", header("If-None-Match", `""`), header(), false},
		{"9110 13.1.3: unchanged since", header("If-Modified-Since", ago(0)), header("Last-Modified", ago(0)), true},
		{"9110 13.1.3: changed since", header("If-Modified-Since", ago(time.Second)), header("Last-Modified", ago(0)), false},
		{"9110 13.1.3: no date", header("If-Modified-Since", "yesterday"), header("Last-Modified", ago(0)), false},
		{"9110 13.2.2: tags take precedence", header("If-None-Match", `"b"`, "If-Modified-Since", ago(0)), header("Etag", `"a"`, "Last-Modified", ago(0)), false},
	}
	for _, test := range tests {
		if got := NotModified(test.request, test.response); got != test.want {
			t.Errorf("RFC %s: %t", test.section, got)
		}
	}
}

// RFC 9111, section 3.2: a 304 updates the fields that it has, but not those of the stored body.
func TestUpdated(t *testing.T) {
	stored := header("Etag", `"a"`, "Content-Type", "text/html", "Content-Length", "7", "X-Old", "1", "Age", "9", "Cache-Control", "s-maxage=1")
	got := Updated(stored, header("Cache-Control", "s-maxage=60", "Content-Length", "0", "Content-Type", "x/y", "X-New", "1", "Connection", "close"))
	for name, want := range map[string]string{
		"Etag": `"a"`, "Content-Type": "text/html", "Content-Length": "7", "X-Old": "1", "X-New": "1", "Cache-Control": "s-maxage=60", "Age": "", "Connection": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if stored.Get("Cache-Control") != "s-maxage=1" {
		t.Error("the stored header has changed")
	}
}

func FuzzDirectives(f *testing.F) {
	for _, seed := range []string{"s-maxage=60", `x="a,b\"", private`, `max-age="`, "=,=,\"", "no-store"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		d := ParseDirectives([]string{line, "no-store, s-maxage=60"})
		if !d.NoStore {
			t.Errorf("%q hides the no-store of another line", line)
		}
		targeted, _ := ParseTargeted([]string{line})
		for _, number := range []Seconds{
			d.MaxAge, d.SharedMaxAge, d.StaleWhileRevalidate, d.StaleIfError,
			targeted.MaxAge, targeted.SharedMaxAge, targeted.StaleWhileRevalidate, targeted.StaleIfError,
		} {
			if number < unset || number > longest {
				t.Errorf("%q has a number of %d", line, number)
			}
		}
	})
}
