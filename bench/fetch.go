package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// fetch sends one request, without compression.
func fetch(ctx context.Context, url, host string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Host = host
	r.Header.Set("Accept-Encoding", "identity")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// changing matches what differs between two renderings of one page.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+|data-pid\\?":\s*\d+|data-pid="\d+"`)

// sameBody checks that two servers answer a path with 200 and the same page, except for its time
// and process id.
func sameBody(ctx context.Context, ours, peer, path string) error {
	var pages [2]string
	for i, base := range []string{ours, peer} {
		status, body, err := fetch(ctx, base+path, shopHost)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("%s%s answers %d: %.200s", base, path, status, body)
		}
		pages[i] = changing.ReplaceAllString(body, "…")
	}
	if pages[0] == pages[1] {
		return nil
	}
	at := 0
	for at < min(len(pages[0]), len(pages[1])) && pages[0][at] == pages[1][at] {
		at++
	}
	return fmt.Errorf("the two answers to %s differ at byte %d: %q and %q", path, at, around(pages[0], at), around(pages[1], at))
}

func around(s string, at int) string {
	return strings.ToValidUTF8(s[max(0, at-40):min(len(s), at+80)], "")
}
