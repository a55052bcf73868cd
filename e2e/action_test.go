package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var actionInput = regexp.MustCompile(`name="\$ACTION_ID_([0-9a-f]+)"`)

// TestServerActionRedirect calls a server action as the browser's script does. The answer to an
// action that redirects contains the target page, so that the browser need not load the page. For
// that the app requests the page from itself over plain HTTP.
func TestServerActionRedirect(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(variant(t, 1), "shop")
	s := a.site(t, "shop")
	slug := productSlug(s)
	id := s.get("/products/"+slug).want(t, 200).find(t, actionInput)
	boundary := "anchor-e2e"
	body := fmt.Sprintf("--%[1]s\r\nContent-Disposition: form-data; name=\"_1_slug\"\r\n\r\n%[2]s\r\n"+
		"--%[1]s\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n[\"$K1\"]\r\n--%[1]s--\r\n", boundary, slug)
	p := s.post("/products/"+slug, body, "Content-Type", "multipart/form-data; boundary="+boundary,
		"Next-Action", id, "Accept", "text/x-component", "Origin", "http://"+s.host)
	if p.Status != 303 {
		out, _, _ := a.run("logs", "--project", "shop")
		t.Fatalf("status %d: %.300s\n%s", p.Status, p.Body, out)
	}
	if to := p.Header.Get("X-Action-Redirect"); !strings.HasPrefix(to, "/cart") {
		t.Errorf("x-action-redirect is %q", to)
	}
	if !strings.Contains(p.Body, slug) {
		t.Errorf("the answer does not hold the cart's page: %q", p.Body)
	}
}
