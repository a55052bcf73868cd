package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// visitsOfPage is how often each page of the dashboard is opened.
const visitsOfPage = 15

// measureDashboard measures how soon a browser paints pages of the dashboard, beside a page without
// content, which needs as long as the browser does.
func measureDashboard(ctx context.Context, l *lab) ([]result, error) {
	s, err := l.shop(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	blank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>blank</title><p>blank")
	}))
	defer blank.Close()
	tab, err := openTab(ctx, s)
	if err != nil {
		return nil, err
	}
	defer tab.close()
	var results []result
	for _, page := range []struct{ name, path string }{{"projects", "/dashboard"}, {"a project", "/dashboard/projects/shop"}} {
		painted, answered, floor, err := tab.compare(s.api+page.path, blank.URL)
		if err != nil {
			return nil, err
		}
		results = append(results, result{
			what: "first paint of the dashboard, " + page.name, ours: ms(median(painted)), peer: "a blank page: " + ms(median(floor)),
			budget: "< 100 ms", verdict: judge(median(painted) < 100),
			how: []string{fmt.Sprintf("First contentful paint in headless Chromium, from the start of the navigation, in turns with a page of one word from another server: medians of %d visits each, after one that is not counted. "+
				"p90 %s. The first octet of the answer came after %s. Chromium renders without a GPU and shares the cores with the server.",
				visitsOfPage, ms(quantile(painted, 0.9)), ms(median(answered)))},
		})
	}
	return results, nil
}

// tab is one of a browser that is signed in to the dashboard.
type tab struct {
	ctx   context.Context
	close func()
}

func openTab(ctx context.Context, s *server) (tab, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	browser, stop := chromedp.NewExecAllocator(ctx, options...)
	of, end := chromedp.NewContext(browser)
	t := tab{ctx: of, close: func() { end(); stop() }}
	cmd := exec.CommandContext(ctx, s.lab.binary, "open", "--dashboard")
	cmd.Env = append(os.Environ(), "ANCHOR_URL="+s.api, "ANCHOR_TOKEN="+s.token)
	link, err := cmd.Output()
	if err == nil {
		err = chromedp.Run(t.ctx, chromedp.Navigate(strings.TrimSpace(string(link))), chromedp.WaitVisible("button.main"),
			chromedp.Click("button.main"), chromedp.WaitVisible("header .who"))
	}
	if err != nil {
		t.close()
		return t, fmt.Errorf("sign in to the dashboard: %w", err)
	}
	return t, nil
}

// compare visits both pages in turns. It returns the times of the first contentful paints and of the
// page's first octets, in milliseconds since the start of the navigation.
func (t tab) compare(page, blank string) (painted, answered, floor []float64, err error) {
	for visit := range visitsOfPage + 1 {
		paint, answer, err := t.visit(page)
		if err != nil {
			return nil, nil, nil, err
		}
		least, _, err := t.visit(blank)
		if err != nil {
			return nil, nil, nil, err
		}
		if visit > 0 {
			painted, answered, floor = append(painted, paint), append(answered, answer), append(floor, least)
		}
	}
	return painted, answered, floor, nil
}

func (t tab) visit(page string) (paint, answer float64, err error) {
	var times []float64
	err = chromedp.Run(t.ctx, chromedp.Navigate(page), chromedp.Poll(`(() => {
		const [paint] = performance.getEntriesByName("first-contentful-paint"), [load] = performance.getEntriesByType("navigation");
		return paint && load ? [paint.startTime, load.responseStart] : null;
	})()`, &times, chromedp.WithPollingTimeout(time.Minute)))
	if err == nil && len(times) != 2 {
		err = fmt.Errorf("the browser returned %v", times)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("visit %s: %w", page, err)
	}
	return times[0], times[1], nil
}
