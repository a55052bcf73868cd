package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// traffic is what a tab requested, and which deployment answered.
type traffic struct {
	mu       sync.Mutex
	requests map[network.RequestID]*network.Request
	answers  []tabAnswer
}

type tabAnswer struct {
	kind       string // document, navigation, prefetch, action, image, chunk, or other
	url        string
	deployment string
}

// watch records the traffic of the tab from now on.
func (b *browser) watch() *traffic {
	t := &traffic{requests: map[network.RequestID]*network.Request{}}
	chromedp.ListenTarget(b.ctx, func(event any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			t.requests[e.RequestID] = e.Request
		case *network.EventResponseReceived:
			if r := t.requests[e.RequestID]; r != nil && strings.HasPrefix(r.URL, "http") {
				t.answers = append(t.answers, tabAnswer{kindOf(e.Type, r), r.URL, field(e.Response.Headers, "X-Anchor-Deployment")})
			}
		}
	})
	return t
}

func kindOf(resource network.ResourceType, r *network.Request) string {
	switch {
	case resource == network.ResourceTypeDocument:
		return "document"
	case field(r.Headers, "Next-Action") != "":
		return "action"
	case field(r.Headers, "Next-Router-Prefetch") != "":
		return "prefetch"
	case field(r.Headers, "Rsc") != "":
		return "navigation"
	case strings.Contains(r.URL, "/_next/image"):
		return "image"
	case strings.Contains(r.URL, "/_next/static/chunks/"):
		return "chunk"
	}
	return "other"
}

func field(h network.Headers, name string) string {
	for key, value := range h {
		if text, ok := value.(string); ok && strings.EqualFold(key, name) {
			return text
		}
	}
	return ""
}

// take returns the answers since the last call.
func (t *traffic) take() []tabAnswer {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.answers
	t.answers = nil
	return all
}

// documents returns the pages among them.
func (t *traffic) documents() []tabAnswer {
	return slices.DeleteFunc(t.take(), func(a tabAnswer) bool { return a.kind != "document" })
}

// wantFrom asserts that one deployment answered all that Next.js requested for its pages, and that
// each of kinds is among it.
func wantFrom(t *testing.T, answers []tabAnswer, deployment string, kinds ...string) {
	t.Helper()
	for _, a := range answers {
		if a.kind != "other" && a.deployment != deployment && (a.kind != "image" || strings.Contains(a.url, "dpl=")) {
			t.Errorf("the %s %s is answered by %s, want %s", a.kind, a.url, a.deployment, deployment)
		}
	}
	for _, kind := range kinds {
		if !slices.ContainsFunc(answers, func(a tabAnswer) bool { return a.kind == kind && a.deployment == deployment }) {
			t.Errorf("no %s is answered by %s: %+v", kind, deployment, answers)
		}
	}
}

// TestBrowserSkew is a visitor whose tab stays open while other versions go live: the tab continues
// with the version that it loaded, a reload shows the live one, and a release with --force-reload
// reloads it.
func TestBrowserSkew(t *testing.T) {
	t.Parallel()
	a := up(t)
	one := a.deploy(variant(t, 1), "shop").DeploymentID
	b := newBrowser(t)
	home := "http://" + a.host("shop") + "/"
	slug := productSlug(a.site(t, "shop"))
	card, product := `a[href="/products/`+slug+`"]`, `[data-slug="`+slug+`"]`
	watched := b.watch()
	b.do("open the shop", chromedp.Navigate(home), chromedp.WaitVisible(card), chromedp.Evaluate(mark, nil))
	wantFrom(t, watched.take(), one, "document", "chunk")
	two := a.deploy(variant(t, 2), "shop").DeploymentID
	watched.take() // prefetches before the release

	b.do("click a product", chromedp.Click(card), chromedp.WaitVisible(product))
	b.do("unfold the care notes", chromedp.Click(`//button[contains(., "Care")]`), chromedp.WaitVisible(`[data-care-version="`+Label+`"] img`))
	eventually(t, "the picture in the notes is there", func() (is bool) {
		b.do("look for the picture", chromedp.Evaluate(`document.querySelector(".care img").naturalWidth > 0`, &is))
		return is
	})
	b.do("add it to the cart", chromedp.Click(`form.buy button`), chromedp.WaitVisible(`[data-cart-slug="`+slug+`"]`))
	b.do("go to a dynamic page", chromedp.Evaluate(`next.router.push("/dynamic")`, nil), chromedp.WaitVisible(`[data-pid]`))
	b.do("go home", chromedp.Click(`header a[href="/"]`), chromedp.WaitVisible(card))
	wantFrom(t, watched.take(), one, "navigation", "prefetch", "action", "image", "chunk")
	if !b.marked() {
		t.Error("the tab was reloaded")
	}
	b.well("in an old tab")

	version := func() (v string) {
		t.Helper()
		b.do("read the version", chromedp.AttributeValue(`footer [data-version]`, "data-version", &v, nil))
		return v
	}
	b.do("reload", chromedp.Reload(), chromedp.WaitVisible(card), chromedp.Evaluate(mark, nil))
	if got := version(); got != LabelOf(2) {
		t.Errorf("after a reload the page is of %s", got)
	}
	wantFrom(t, watched.documents(), two, "document")

	three := a.deploy(variant(t, 3), "shop", "--force-reload").DeploymentID
	// A page that the router has not prefetched.
	b.do("go to a dynamic page", chromedp.Evaluate(`next.router.push("/dynamic")`, nil), chromedp.WaitVisible(`[data-pid]`))
	if got := version(); got != LabelOf(3) || b.marked() {
		t.Errorf("after a forced reload the page is of %s, and the tab has its mark: %v", got, b.marked())
	}
	wantFrom(t, watched.documents(), three, "document")
	b.well("in a tab that was made to reload")
}

// TestSkew asks as the tabs of three versions do, over a crash, a reload that is forced, and another
// crash.
func TestSkew(t *testing.T) {
	t.Parallel()
	a := up(t)
	for n := range 3 {
		a.deploy(variant(t, n+1), "shop")
	}
	want := func(when string, versions ...int) {
		t.Helper()
		s := a.site(t, "shop")
		for i, n := range versions {
			p := s.get("/dynamic?_rsc=1", "Rsc", "1", "X-Deployment-Id", LabelOf(i+1)).want(t, 200)
			if got := p.Header.Get("X-Storefront-Version"); got != LabelOf(n) {
				t.Errorf("%s: a tab of version %d is answered by %s, want version %d", when, i+1, got, n)
			}
		}
	}
	want("after the releases", 1, 2, 3)
	a.kill()
	a.start()
	want("after a crash", 1, 2, 3)
	slug := productSlug(a.site(t, "shop"))
	action := a.site(t, "shop").get("/products/"+slug).want(t, 200).find(t, actionInput)
	body := fmt.Sprintf("--e2e\r\nContent-Disposition: form-data; name=\"_1_slug\"\r\n\r\n%s\r\n"+
		"--e2e\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n[\"$K1\"]\r\n--e2e--\r\n", slug)
	for n, label := range []string{LabelOf(1), LabelOf(2), LabelOf(3)} {
		p := a.site(t, "shop").post("/products/"+slug, body, "Content-Type", "multipart/form-data; boundary=e2e",
			"Next-Action", action, "Accept", "text/x-component", "X-Deployment-Id", label, "Sec-Fetch-Dest", "empty")
		if p.Status != 303 || p.Header.Get("X-Storefront-Version") != label {
			t.Errorf("a Server Action of version %d is answered with %d by %s", n+1, p.Status, p.Header.Get("X-Storefront-Version"))
		}
	}

	if _, errs, code := a.run("rollback", "--force-reload", "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	want("after a forced reload", 2, 2, 2)
	a.kill()
	a.start()
	want("after a forced reload and a crash", 2, 2, 2)
	if _, errs, code := a.run("rollback", "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	want("after a release that forces nothing", 3, 2, 3)
}
