package awswire_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

func TestRevalidate_IsDoneOnAnswer(t *testing.T) {
	s := newServer(t)
	call := func(body string) (int, string) {
		status, _, answer := s.raw(t, "one", http.MethodPost, "/", map[string]string{"X-Amz-Target": "Anchor.Revalidate"}, strings.NewReader(body))
		return status, answer
	}
	if status, answer := call(`{"host":"shop.localhost","url":"/a?b=1","onlyGenerated":false}`); status != http.StatusOK {
		t.Errorf("answered %d %s", status, answer)
	}
	if diff := cmp.Diff(sent{"one", isr.Message{Host: "shop.localhost", URL: "/a?b=1"}}, <-s.work, cmp.AllowUnexported(sent{})); diff != "" {
		t.Error(diff)
	}
	for body, want := range map[string]int{
		`{"host":"h","url":"/no"}`:          http.StatusBadGateway,
		`{"host":"","url":"/a"}`:            http.StatusBadRequest,
		`{"host":"h","url":"http://x/"}`:    http.StatusBadRequest,
		`{"host":"h","url":"/","other":""}`: http.StatusBadRequest,
	} {
		if status, answer := call(body); status != want || !strings.Contains(answer, "message") {
			t.Errorf("%s is answered %d %s, want %d", body, status, answer, want)
		}
	}
}
