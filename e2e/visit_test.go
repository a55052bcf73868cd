package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestPreview_SignInInABrowser opens a preview that is protected by a sign-in: the browser is led to the dashboard, and
// from there to the page that it asked for.
func TestPreview_SignInInABrowser(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(platformtest.NewApp("live").Write(t), "shop", "--branch", "main")
	preview := a.deploy(platformtest.NewApp("preview").Write(t), "shop", "--branch", "feature/x", "--no-release")
	if out, errs, code := a.run("previews", "protect", "--sign-in", "--project", "shop"); code != 0 || !strings.Contains(out, "sign in from now on") {
		t.Fatalf("protecting ends with %d: %s%s", code, out, errs)
	}
	link, _, _ := a.run("open", "--dashboard")
	b := newBrowser(t)
	b.do("open the preview", chromedp.Navigate(preview.DeploymentURL+"/?a=1"), chromedp.WaitVisible(`//h1[contains(., "Sign in")]`, chromedp.BySearch))
	b.do("sign in", chromedp.Navigate(strings.TrimSpace(link)), chromedp.Click(`form[action$="/sign-in"] button`, chromedp.ByQuery))
	var at, text string
	b.do("look at the page", chromedp.WaitVisible(`//body[normalize-space()="preview"]`, chromedp.BySearch),
		chromedp.Location(&at), chromedp.Text("body", &text))
	if at != preview.DeploymentURL+"/?a=1" || text != "preview" {
		t.Errorf("the browser is at %s and shows %q", at, text)
	}
}
