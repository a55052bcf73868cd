package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a real Chromium, with the errors that occurred in it.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots string // folder of the screenshots

	mu     sync.Mutex
	wrong  []string
	loaded map[network.RequestID]string
}

// newBrowser starts a Chromium (chromium or google-chrome in PATH) with an empty
// profile. It resolves *.localhost by itself.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(tab, 8*time.Minute) // only a broken site takes as long
	t.Cleanup(cancel)

	shots := os.Getenv("ANCHOR_E2E_SCREENSHOTS") // to keep them
	if shots == "" {
		shots = t.TempDir()
	}
	b := &browser{t: t, ctx: ctx, shots: shots, loaded: map[network.RequestID]string{}}
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx); err != nil { // the tab would end with the context of a step
		t.Fatalf("start Chromium: %v", err)
	}
	b.do("open a tab", network.Enable(), log.Enable(), runtime.Enable())
	return b
}

// favicon is requested by the browser itself. The guides have none, because they have a base
// path.
const favicon = "/favicon.ico"

// listen records every error of the console, every exception, and every request that failed or
// was answered with an error.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			var text []string
			for _, arg := range e.Args {
				text = append(text, string(arg.Value)+arg.Description)
			}
			b.wrong = append(b.wrong, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(text, " ")))
		}
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && !strings.HasSuffix(e.Entry.URL, favicon) {
			b.wrong = append(b.wrong, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.loaded[e.RequestID] = fmt.Sprintf("%s %s %s", e.Request.Method, e.Type, e.Request.URL)
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && !strings.HasSuffix(e.Response.URL, favicon) {
			b.wrong = append(b.wrong, fmt.Sprintf("%s answered %d", b.loaded[e.RequestID], e.Response.Status))
		}
	case *network.EventLoadingFailed:
		// Next.js itself cancels a prefetch that a navigation overtakes.
		if !e.Canceled {
			b.wrong = append(b.wrong, fmt.Sprintf("%s failed: %s", b.loaded[e.RequestID], e.ErrorText))
		}
	}
}

// stepLimit is what only a broken page takes, so that one does not use up the time of all others.
const stepLimit = time.Minute

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%s: %v; before that: %q", what, err, b.wrong)
	}
}

// well fails the test when an error occurred in the tab since the last call.
func (b *browser) well(after string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Errorf("%s: %s", after, w)
	}
	b.wrong = nil
}

// requested returns the requests so far whose method, type and URL contain part.
func (b *browser) requested(part string) (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.loaded {
		if strings.Contains(r, part) {
			found = append(found, r)
		}
	}
	return found
}

func (b *browser) shot(name string) {
	b.t.Helper()
	var png []byte
	const drawn = `[...document.images].every(i => i.loading === "lazy" || i.complete)`
	eventually(b.t, "the pictures of "+name+" are there", func() (all bool) {
		b.do("look for pictures", chromedp.Evaluate(drawn, &all))
		return all
	})
	b.do("take a picture of "+name, chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(b.shots, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// mark is lost by a full load.
const mark = `window.anchorMark = true`

func (b *browser) marked() (is bool) {
	b.t.Helper()
	b.do("look for the mark", chromedp.Evaluate(`window.anchorMark === true`, &is))
	return is
}

// TestBrowser is a visitor with JavaScript, before and after a deploy under an open
// tab.
func TestBrowser(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(variant(t, 1), "shop")
	b := newBrowser(t)
	home := "http://" + a.host("shop") + "/"
	slug := productSlug(a.site(t, "shop"))
	card, product := `a[href="/products/`+slug+`"]`, `[data-slug="`+slug+`"]`
	version := func() (v string) {
		t.Helper()
		b.do("read the version", chromedp.AttributeValue(`footer [data-version]`, "data-version", &v, nil))
		return v
	}

	b.do("open the shop", chromedp.Navigate(home), chromedp.WaitVisible(card), chromedp.Evaluate(mark, nil))
	b.shot("home")
	b.do("click a product", chromedp.Click(card), chromedp.WaitVisible(product))
	b.shot("product")
	if !b.marked() {
		t.Error("the product came by a full load")
	}
	b.do("unfold the care notes", chromedp.Click(`//button[contains(., "Care")]`), chromedp.WaitVisible(`[data-care-version="`+Label+`"]`))
	b.do("add it to the cart", chromedp.Click(`form.buy button`), chromedp.WaitVisible(`[data-cart-slug="`+slug+`"]`))
	b.shot("cart")
	if len(b.requested("POST Fetch "+home+"products/"+slug)) == 0 {
		t.Errorf("the server action went by a full load; POSTs: %q", b.requested("POST "))
	}
	var path, total string
	b.do("look at the cart", chromedp.Evaluate(`location.pathname`, &path), chromedp.AttributeValue(`[data-cart-total]`, "data-cart-total", &total, nil),
		chromedp.WaitVisible(`//span[@class="cart-count" and text()="1"]`))
	if path != "/cart" || total == "" || total == "0" {
		t.Errorf("the cart is at %s with a total of %s", path, total)
	}
	b.well("shopping")

	b.do("go home", chromedp.Click(`header a[href="/"]`), chromedp.WaitVisible(card))
	a.deploy(variant(t, 2), "shop")

	t.Run("an open tab continues after a deploy", func(t *testing.T) {
		b.t = t
		b.do("click a product", chromedp.Click(card), chromedp.WaitVisible(product))
		b.do("add another", chromedp.Click(`form.buy button`), chromedp.WaitVisible(`[data-cart-slug="`+slug+`"][data-cart-count="2"]`))
		b.well("shopping in an old tab")
		b.shot("cart-after-deploy")
		b.do("remove it", chromedp.Click(`[data-cart-slug] form button`), chromedp.WaitVisible(`.cart .empty`))
		b.well("emptying the cart in an old tab")
	})
	t.Run("the old version's lazy chunk is still there", func(t *testing.T) {
		old := newBrowser(t)
		old.do("open the old page", chromedp.Navigate("http://"+a.host("shop")+"/products/"+slug), chromedp.WaitVisible(product))
		if _, errs, code := a.run("rollback", "--project", "shop"); code != 0 {
			t.Fatal(errs)
		}
		old.do("unfold the care notes", chromedp.Click(`//button[contains(., "Care")]`), chromedp.WaitVisible(`[data-care-version="`+LabelOf(2)+`"]`))
		old.well("loading a chunk of another version")
		a.run("rollback", "--project", "shop")
	})
	t.Run("a reload shows the new version", func(t *testing.T) {
		b.t = t
		b.do("open the shop again", chromedp.Navigate(home), chromedp.WaitVisible(card))
		if got := version(); got != LabelOf(2) {
			t.Errorf("the page is of %s", got)
		}
		b.well("the new version")
	})
}

// TestBrowserPages is a visitor of the guides: client navigation by data routes,
// under a base path and between languages.
func TestBrowserPages(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(guides, "docs")
	b := newBrowser(t)
	b.do("open the guides", chromedp.Navigate("http://"+a.host("docs")+"/docs/"), chromedp.WaitVisible(`main h1`), chromedp.Evaluate(mark, nil))
	b.shot("guides")
	b.do("click a guide", chromedp.Click(`//a[text()="Four knots"]`), chromedp.WaitVisible(`//h1[text()="Four knots"]`))
	b.do("switch to German", chromedp.Click(`//nav//a[text()="de"]`), chromedp.WaitVisible(`main[data-locale="de"]`))
	b.do("go to the tide", chromedp.Click(`header > a`), chromedp.WaitVisible(`//a[text()="The tide now"]`),
		chromedp.Click(`//a[text()="The tide now"]`), chromedp.WaitVisible(`[data-host="`+a.host("docs")+`"]`))
	var path string
	b.do("look where we are", chromedp.Evaluate(`location.pathname`, &path))
	if path != "/docs/de/tide/" || !b.marked() || len(b.requested("/docs/_next/data/")) == 0 {
		t.Errorf("we are at %s; data routes: %q", path, b.requested("/_next/data/"))
	}
	b.well("reading")
}
