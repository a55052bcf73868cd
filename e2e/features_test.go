package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStorefront checks everything that a Next.js app does on one deployment of the shop, as a
// visitor sees it.
func TestStorefront(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(variant(t, 1), "shop")
	s := a.site(t, "shop")

	t.Run("pages carry their version", func(t *testing.T) {
		for _, path := range []string{"/", "/dynamic", "/products/" + productSlug(s), "/cart", "/tags", "/en/hello", "/de/hello"} {
			p := s.get(path).want(t, 200).header(t, "X-Storefront-Version", Label).header(t, "X-Middleware", "1")
			if got := p.find(t, versionMeta); got != Label {
				t.Errorf("%s has version %q", path, got)
			}
		}
	})
	t.Run("every chunk of a page is there and immutable", func(t *testing.T) {
		chunks := chunkURL.FindAllString(s.get("/").want(t, 200).Body, -1)
		if len(chunks) < 3 {
			t.Fatalf("found %d chunks only", len(chunks))
		}
		for _, c := range chunks {
			s.get(c).want(t, 200).header(t, "Cache-Control", "public,max-age=31536000,immutable")
		}
		s.get("/_next/static/chunks/nobody-has-this.js").want(t, 404)
	})
	t.Run("public files", func(t *testing.T) {
		p := s.get("/robots.txt").want(t, 200).header(t, "Cache-Control", "public,max-age=0,must-revalidate")
		s.get("/robots.txt", "If-None-Match", p.Header.Get("ETag")).want(t, 304)
		part := s.get("/large.bin", "Range", "bytes=10-19").want(t, 206)
		if len(part.Body) != 10 {
			t.Errorf("a range of 10 bytes has %d", len(part.Body))
		}
		s.get("/version.txt").want(t, 200).has(t, Label)
		s.post("/robots.txt", "").want(t, 405).header(t, "Allow", "GET, HEAD")
	})
	t.Run("rules of the app hold for files", func(t *testing.T) { rulesOnFiles(t, s) })
	t.Run("no spelling of a path passes by the middleware", func(t *testing.T) { spellings(t, s) })
	t.Run("every method reaches a route handler", func(t *testing.T) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			var echo struct{ Method, Sha256 string }
			body := "hello " + method
			if method == "GET" {
				body = ""
			}
			s.request(method, "/api/echo", strings.NewReader(body), "Content-Type", "text/plain").want(t, 200).json(t, &echo)
			if echo.Method != method || echo.Sha256 != sha([]byte(body)) {
				t.Errorf("%s arrived as %+v", method, echo)
			}
		}
		if p := s.request("HEAD", "/api/echo", nil).want(t, 200); p.Body != "" {
			t.Errorf("HEAD has a body: %q", p.Body)
		}
	})
	t.Run("50 MB in and out", func(t *testing.T) { bigBodies(t, s) })
	t.Run("headers a client cannot forge", func(t *testing.T) {
		var echo struct{ Headers map[string]string }
		s.get("/api/echo", "X-Forwarded-Host", "evil.example", "X-Open-Next-Resolved-Routes", "[]",
			"X-Isr", "1", "X-Middleware-Subrequest", "middleware:middleware:middleware").want(t, 200).json(t, &echo)
		if got := echo.Headers["x-forwarded-host"]; got != s.host {
			t.Errorf("x-forwarded-host is %q, want %q", got, s.host)
		}
		for name := range echo.Headers {
			if strings.HasPrefix(name, "x-open-next-") && strings.Contains(echo.Headers[name], "[]") || name == "x-middleware-subrequest" {
				t.Errorf("%s: %s went through", name, echo.Headers[name])
			}
		}
	})
	t.Run("several cookies", func(t *testing.T) {
		cookies := s.get("/api/cookies").want(t, 200).Header.Values("Set-Cookie")
		if len(cookies) != 3 {
			t.Errorf("got %d Set-Cookie headers: %q", len(cookies), cookies)
		}
	})
	t.Run("middleware", func(t *testing.T) {
		s.get("/mw-json").want(t, 200).has(t, `"from":"middleware"`)
		one, other := s.get("/ab", "Cookie", "ab=a").want(t, 200), s.get("/ab", "Cookie", "ab=b").want(t, 200)
		if one.Body == other.Body {
			t.Error("/ab is the same for both cookies")
		}
		if to := s.get("/gated").want(t, 307).Header.Get("Location"); !strings.Contains(to, "/gate?from=") {
			t.Errorf("/gated leads to %q", to)
		}
		s.get("/gated", "Cookie", "gate=open").want(t, 200)
	})
	t.Run("redirects, rewrites, trailing slash", func(t *testing.T) {
		if to := s.get("/old-shop").want(t, 308).Header.Get("Location"); location(t, to) != "/" {
			t.Errorf("/old-shop leads to %q", to)
		}
		s.get("/about-us").want(t, 200)
		if to := s.get("/about/").want(t, 308).Header.Get("Location"); location(t, to) != "/about" {
			t.Errorf("/about/ leads to %q", to)
		}
	})
	t.Run("not found and errors", func(t *testing.T) {
		s.get("/nobody-has-this-page").want(t, 404).has(t, Label)
		s.get("/products/nobody-sells-this").want(t, 404)
		s.get("/boom").want(t, 500)
		s.get("/api/status/418").want(t, 418)
	})
	t.Run("streaming arrives in parts", func(t *testing.T) { streams(t, s) })
	t.Run("an empty stream ends", func(t *testing.T) {
		if p := s.get("/api/empty").want(t, 200); p.Body != "" {
			t.Errorf("body is %q", p.Body)
		}
	})
	t.Run("a client that leaves is noticed", func(t *testing.T) { disconnect(t, s) })
	t.Run("images", func(t *testing.T) { images(t, s) })
	t.Run("og image", func(t *testing.T) {
		p := s.get("/og").want(t, 200).header(t, "Content-Type", "image/png")
		if !strings.HasPrefix(p.Body, "\x89PNG") {
			t.Error("not a PNG")
		}
	})
	t.Run("server actions", func(t *testing.T) { serverAction(t, s) })
	t.Run("after()", func(t *testing.T) {
		s.get("/api/after?id=e2e").want(t, 200)
		eventually(t, "after() has run", func() bool {
			return strings.Contains(s.get("/api/after?seen=e2e").Body, `"seen":true`)
		})
	})
	t.Run("a worker sees its own environment only", func(t *testing.T) {
		var env struct{ Names []string }
		s.get("/api/env").want(t, 200).json(t, &env)
		for _, name := range env.Names {
			if name == serverSecret || name == "ANCHOR_TOKEN" || name == "ANCHOR_E2E_MAIN" || name == "SSH_AUTH_SOCK" || name == "GOPATH" {
				t.Errorf("a worker sees %s", name)
			}
		}
	})
	t.Run("logs have the request's id", func(t *testing.T) {
		s.get("/api/log?msg=find-me", "X-Request-Id", "e2e-request-1").want(t, 200)
		eventually(t, "the line is in the log", func() bool {
			out, _, code := a.run("logs", "--project", "shop", "--json")
			return code == 0 && strings.Contains(out, "stdout: find-me") && strings.Contains(out, "e2e-request-1")
		})
	})
	t.Run("an unknown host is told so", func(t *testing.T) {
		a.site(t, "nobody").get("/").want(t, 404)
	})
}

func location(t *testing.T, to string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

func productSlug(s *site) string {
	s.t.Helper()
	body := s.get("/").want(s.t, 200).Body
	_, after, found := strings.Cut(body, `href="/products/`)
	if !found {
		s.t.Fatal("the home page links to no product")
	}
	return after[:strings.IndexByte(after, '"')]
}

func bigBodies(t *testing.T, s *site) {
	const size = 50 << 20
	body := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(body)
	var echo struct {
		BodyLength int
		Sha256     string
	}
	s.request("POST", "/api/echo", bytes.NewReader(body), "Content-Type", "application/octet-stream").want(t, 200).json(t, &echo)
	if echo.BodyLength != size || echo.Sha256 != sha(body) {
		t.Errorf("50 MB arrived as %d bytes", echo.BodyLength)
	}
	out := s.get(fmt.Sprintf("/api/bytes?n=%d", size)).want(t, 200)
	if len(out.Body) != size || out.Header.Get("X-Body-Sha256") != sha([]byte(out.Body)) {
		t.Errorf("50 MB came back as %d bytes", len(out.Body))
	}
}

// streams asserts that the first part of a page arrives before the last is made. A busy machine
// may not read until both have arrived, so the page takes longer each time. A page that is
// buffered arrives at once, however long it takes.
func streams(t *testing.T, s *site) {
	for _, step := range []int{500, 1000, 2500} {
		if comesInParts(t, s, step) {
			return
		}
	}
	t.Error("everything came at once")
}

// comesInParts reports whether the first read of the page, whose parts are step milliseconds
// apart, ends before its second part.
func comesInParts(t *testing.T, s *site, step int) bool {
	t.Helper()
	r, _ := http.NewRequest("GET", fmt.Sprintf("http://%s/stream?step=%d", s.host, step), nil)
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 32<<10)
	n, err := res.Body.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.Clone(buf[:n])
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(first, rest)
	if !bytes.Contains(whole, []byte(`data-part="4"`)) || !bytes.HasSuffix(bytes.TrimSpace(whole), []byte("</html>")) {
		t.Errorf("the streamed page is not whole: …%.200s", whole[max(0, len(whole)-200):])
	}
	return !bytes.Contains(first, []byte(`data-part="1"`))
}

func disconnect(t *testing.T, s *site) {
	aborts := func() (n int) {
		var seen struct{ Aborts int }
		s.get("/api/aborts").want(t, 200).json(t, &seen)
		return seen.Aborts
	}
	before := aborts()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+s.host+"/api/sse?n=100&every=200", nil)
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "id:") {
		t.Fatalf("the event stream begins with %q: %v", line, err)
	}
	cancel()
	res.Body.Close()
	eventually(t, "the app notices that the client left", func() bool { return aborts() > before })
}

func images(t *testing.T, s *site) {
	body := s.get("/").want(t, 200).Body
	_, after, found := strings.Cut(body, "/_next/image?url=")
	if !found {
		t.Fatal("the home page has no optimized image")
	}
	path := "/_next/image?url=" + strings.ReplaceAll(after[:strings.IndexAny(after, " \"")], "&amp;", "&")
	p := s.get(path, "Accept", "image/webp,*/*").want(t, 200)
	if ct := p.Header.Get("Content-Type"); ct != "image/webp" {
		t.Errorf("the image is %s", ct)
	}
	p.header(t, "Content-Security-Policy", "script-src 'none'; frame-src 'none'; sandbox;")
	if got := p.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") || !strings.HasSuffix(got, ".webp") {
		t.Errorf("the image's disposition is %q", got)
	}
	s.get(path, "Accept", "image/webp,*/*", "If-None-Match", p.Header.Get("ETag")).want(t, 304)
	s.get("/_next/image?url=%2Fno-such-picture.png&w=640&q=75").want(t, 404)
	s.get("/_next/image?url=%2Frobots.txt&w=640&q=75").want(t, 400) // no image
	s.get("/_next/image?url=http%3A%2F%2F127.0.0.1%3A9%2Fx.png&w=640&q=75").want(t, 500)
	s.get("/_next/image?url=http%3A%2F%2Fevil.example%2Fx.png&w=640&q=75").want(t, 400)
}

// serverAction submits the product's form as a browser without JavaScript does.
func serverAction(t *testing.T, s *site) {
	slug := productSlug(s)
	form := s.get("/products/"+slug).want(t, 200).Body
	at := strings.Index(form, `name="$ACTION_`)
	if at < 0 {
		t.Fatal("the product page has no server action")
	}
	name := form[at+len(`name="`):]
	name = name[:strings.IndexByte(name, '"')]
	boundary := "anchor-e2e"
	var b strings.Builder
	for _, field := range [][2]string{{name, ""}, {"slug", slug}} {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, field[0], field[1])
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	p := s.post("/products/"+slug, b.String(), "Content-Type", "multipart/form-data; boundary="+boundary, "Origin", "http://"+s.host)
	p.want(t, 303)
	if to := location(t, p.Header.Get("Location")); to != "/cart" {
		t.Errorf("adding to the cart leads to %q", to)
	}
	cookies := p.Header.Values("Set-Cookie")
	i := slices.IndexFunc(cookies, func(c string) bool { return strings.Contains(c, slug) })
	if i < 0 {
		t.Fatalf("no cookie holds the cart: %q", cookies)
	}
	cookie, _, _ := strings.Cut(cookies[i], ";")
	s.get("/cart", "Cookie", cookie).want(t, 200).has(t, `data-cart-slug="`+slug+`"`)
}

// eventually waits for a condition that becomes true in the background, and fails when it does
// not.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain until %s", what)
}

func rulesOnFiles(t *testing.T, s *site) {
	const members = "/members/prices.txt"
	for _, method := range []string{"GET", "HEAD", "POST"} {
		if to := s.request(method, members, nil).want(t, 307).Header.Get("Location"); !strings.HasSuffix(to, "/gate?from="+members) {
			t.Errorf("%s %s leads to %q", method, members, to)
		}
	}
	p := s.get(members, "Cookie", "gate=open").want(t, 200).has(t, "a tenth less").
		header(t, "X-Middleware", "1").header(t, "X-Storefront-Version", Label).header(t, "Cache-Control", "public,max-age=0,must-revalidate")
	s.get(members, "Cookie", "gate=open", "If-None-Match", p.Header.Get("ETag")).want(t, 304).header(t, "X-Middleware", "1")
	if part := s.get(members, "Cookie", "gate=open", "Range", "bytes=0-6").want(t, 206); part.Body != "Members" {
		t.Errorf("a range is %q", part.Body)
	}
	if to := s.get("/old-prices.txt").want(t, 308).Header.Get("Location"); location(t, to) != members {
		t.Errorf("/old-prices.txt leads to %q", to)
	}
	s.get("/stock.txt").want(t, 200).has(t, `"stock"`)
	s.get("/terms").want(t, 200).has(t, "You pay, we send.").header(t, "Content-Type", "text/html; charset=utf-8")
	s.get("/pictures/print.jpg").want(t, 200).header(t, "Cache-Control", "public, max-age=86400").header(t, "X-Middleware", "")
	s.get("/robots.txt").want(t, 200).header(t, "X-Storefront-Version", Label)
}

func spellings(t *testing.T, s *site) {
	for _, path := range []string{
		"/gated/.", "/./gated", "/gated/%2e", "/x/../gated", "/x/%2e%2e/gated", "/gated/.%2e/gated", `/x\..\gated`, "//gated", "/gated;", "/gated%2f",
		"/members/./prices.txt", "/x/../members/prices.txt", "/%6dembers/prices.txt", "/members%2fprices.txt", "//members/prices.txt",
	} {
		p := s.raw(t, path)
		if strings.Contains(p, "a tenth less") || strings.Contains(p, `data-gate="open"`) || strings.HasPrefix(p, "HTTP/1.1 200") {
			t.Errorf("%s: %.300s", path, p)
		}
	}
}
