package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// atTerminal is a person's terminal at an Anchor that has the project shop.
func atTerminal(t *testing.T) (*apitest.Anchor, IOStreams, *bytes.Buffer, *screen) {
	t.Helper()
	a := apitest.New(t, apitest.Options{})
	t.Setenv("ANCHOR_URL", apitest.Serve(t, a.Services(), api.Options{}, nil))
	t.Setenv("ANCHOR_TOKEN", apitest.AdminToken)
	out, term := &bytes.Buffer{}, &screen{}
	streams := IOStreams{In: strings.NewReader(""), Out: out, Err: term, IsTerminal: true, Width: 80}
	if code := run(t.Context(), []string{"projects", "create", "shop"}, streams, Parts{}); code != 0 {
		t.Fatalf("projects create ended with %d", code)
	}
	return a, streams, out, term
}

func TestWatchDomain_ShowsEachCheckOnTerminal(t *testing.T) {
	a, streams, out, term := atTerminal(t)
	const name = "shop.example.com"
	if err := a.DNS(name, domains.FindingWrong, "198.51.100.4"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() {
		ended <- run(t.Context(), []string{"domains", "add", "--project", "shop", name}, streams, Parts{})
	}()
	looked(t, a, name)
	for _, step := range []error{a.DNS(name, domains.FindingRight), a.Issue(name)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if code := <-ended; code != 0 {
		t.Errorf("ended with %d: %s", code, term.lines())
	}
	if !strings.Contains(out.String(), "A     shop.example.com  shop  203.0.113.7") {
		t.Errorf("the records to set are not told: %s", out)
	}
	shown := strings.Join(term.lines(), "\n")
	last := -1
	for _, want := range []string{"✗ DNS A", "it has to be 203.0.113.7", "✓ DNS A", "✓ TLS", "✓ Live"} {
		at := strings.Index(shown, want)
		if at <= last {
			t.Errorf("%q is not shown, or not in its turn:\n%s", want, shown)
		}
		last = at
	}
	if n := strings.Count(shown, "✗ DNS A"); n != 1 {
		t.Errorf("the same trouble is told %d times:\n%s", n, shown)
	}
}

func TestWatchDomain_InterruptEndsWatchOnly(t *testing.T) {
	a, streams, _, term := atTerminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"domains", "add", "--project", "shop", "shop.example.com"}, streams, Parts{})
	}()
	looked(t, a, "shop.example.com")
	interrupt()
	if code := <-ended; code != 0 {
		t.Errorf("ended with %d", code)
	}
	shown := strings.Join(term.lines(), "\n")
	if !strings.Contains(shown, "Anchor continues in the background") || strings.Contains(shown, "error:") {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	if code := run(t.Context(), []string{"domains", "check", "--project", "shop", "shop.example.com"}, streams, Parts{}); code != 1 {
		t.Errorf("the check of the domain ended with %d, want 1: it is there and not served", code)
	}
}

func TestWatchDomain_ReportsRefusedCertificate(t *testing.T) {
	a, streams, _, term := atTerminal(t)
	const name = "shop.example.com"
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() { ended <- run(ctx, []string{"domains", "add", "--project", "shop", name}, streams, Parts{}) }()
	looked(t, a, name)
	if err := errors.Join(a.Refuse(name, "The CA may not issue: CAA."), a.DNS(name, domains.FindingRight)); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(strings.Join(term.lines(), "\n"), "The CA may not issue: CAA.") {
		select {
		case <-ended:
			t.Fatalf("the watching ended: %s", term.lines())
		case <-time.After(10 * time.Millisecond):
		}
	}
	interrupt()
	<-ended
}

func looked(t *testing.T, a *apitest.Anchor, name string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // only a broken test waits this long
	defer stop()
	if err := a.AwaitDiagnosis(ctx, name); err != nil {
		t.Fatal(err)
	}
}

func TestDomain_RecordsAreNeverCut(t *testing.T) {
	value := strings.Repeat("v", 120)
	d := wire.Domain{Records: []anchor.DNSRecord{{Name: "_x.shop.example.com", Type: "CNAME", Value: value}}}
	d.Name = "shop.example.com"
	var out bytes.Buffer
	s := &shell{IOStreams: IOStreams{IsTerminal: true, Width: 60}}
	s.domainRecords(&out, []wire.Domain{d})
	for _, want := range []string{"  VALUE  " + value + "\n", "  HOST   _x.shop\n", "Set this record at the DNS provider of example.com:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestDomain_HostIsRelativeToZone(t *testing.T) {
	cases := []struct{ domain, record, want string }{
		{"example.com", "example.com", "@"},
		{"www.example.co.uk", "www.example.co.uk", "www"},
		{"*.shop.example.com", "*.shop.example.com", "*.shop"},
		{"shop.example.com", "_anchor-challenge.shop.example.com", "_anchor-challenge.shop"},
		{"shop.example.com", "elsewhere.example.net", "elsewhere.example.net"},
	}
	for _, c := range cases {
		if got := hostIn(zoneOf(c.domain), c.record); got != c.want {
			t.Errorf("the host of %s for %s is %q, want %q", c.record, c.domain, got, c.want)
		}
	}
}

func TestPrintWrapped_FitsPage(t *testing.T) {
	var out bytes.Buffer
	text := strings.Repeat("wörd ", 60)
	printWrapped(&out, "    ", text)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 || !strings.HasPrefix(line, "    w") {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if strings.Join(strings.Fields(out.String()), " ") != strings.TrimSpace(text) {
		t.Errorf("words are lost: %s", out.String())
	}
}
