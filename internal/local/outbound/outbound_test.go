package outbound

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/retry"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

func TestPost_RepeatsOnlyWhatMayHelp(t *testing.T) {
	for status, calls := range map[int]int{200: 1, 204: 1, 302: 1, 400: 1, 404: 1, 408: 2, 413: 1, 429: 2, 500: 2, 503: 2} {
		made := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			made++
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				_, _ = io.WriteString(w, "because of\nthis")
			}
		}))
		err := retry.Do(t.Context(), retry.Policy{Calls: 2}, func() error {
			_, err := Post(t.Context(), s.URL+"/?token=hidden", nil, []byte("x"))
			return err
		})
		if made != calls || (err == nil) != (status < 300) {
			t.Errorf("%d: %d calls, %v; want %d", status, made, err, calls)
		}
		if err != nil && (!strings.Contains(err.Error(), "because of") || strings.Contains(err.Error(), "this")) {
			t.Errorf("%d: %v does not say why, in one line", status, err)
		}
		s.Close()
	}
	client.CloseIdleConnections()
}

func TestPost_ErrorHidesTheURL(t *testing.T) {
	for _, to := range []string{"http://127.0.0.1:1/hook/hidden", "http://[hidden/"} {
		if _, err := Post(t.Context(), to, nil, nil); err == nil || strings.Contains(err.Error(), "hook") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
