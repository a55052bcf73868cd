package api_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/api"
)

// TestLLMS_LinksLead: the text needs no token, has the form of llmstxt.org, and each of its links leads to a page of the
// documentation or to a route that needs no token either.
func TestLLMS_LinksLead(t *testing.T) {
	base := serveWith(t, api.Options{})
	text := getPublic(t, base+"/llms.txt")
	if !strings.HasPrefix(text, "# Anchor\n\n> ") {
		t.Errorf("it does not begin with a title and a summary: %.60q", text)
	}
	links := regexp.MustCompile(`\]\((\S+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) < 10 {
		t.Fatalf("it has %d links", len(links))
	}
	for _, link := range links {
		page, inDocs := strings.CutPrefix(link[1], "https://github.com/anchor-deploy/anchor/blob/main/")
		if !inDocs {
			getPublic(t, base+link[1])
		} else if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(page))); err != nil {
			t.Error(err)
		}
	}
}

func getPublic(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s, %v", url, res.Status, err)
	}
	return string(body)
}
