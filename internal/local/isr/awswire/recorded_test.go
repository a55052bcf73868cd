package awswire_test

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// The files of testdata are requests of the JavaScript SDK in an OpenNext 4.1 server function of
// Next.js 15, recorded on the wire, with names and bodies shortened.
func TestHandler_RecordedRequests(t *testing.T) {
	s := newServer(t)
	resp, _ := s.replay(t, "js-get-object")
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET before PUT: %s", resp.Status)
	}

	resp, _ = s.replay(t, "js-put-object")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == "" {
		t.Errorf("PUT: %s %v", resp.Status, resp.Header)
	}

	resp, body := s.replay(t, "js-get-object")
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05.000 GMT", resp.Header.Get("Last-Modified")); err != nil || body != `{"type":"app","html":"<p>1795281517097</p>"}` {
		t.Errorf("GET: %s %s, %v", resp.Status, body, err)
	}

	s.writeRow(t, isr.TagRow{Tag: "B/t1", Path: "B/route-cache/APP_PAGE/c385/$/isr", RevalidatedAt: 1795281504001})
	resp, body = s.replay(t, "js-query")
	want := `{"Items":[{"path":{"S":"B/route-cache/APP_PAGE/c385/$/isr"},"revalidatedAt":{"N":"1795281504001"},"tag":{"S":"B/t1"}}],"Count":1,"ScannedCount":1}`
	if resp.StatusCode != http.StatusOK || body != want {
		t.Errorf("Query: %s %s", resp.Status, body)
	}

	resp, body = s.replay(t, "js-send-message")
	var out struct{ MD5OfMessageBody, MessageId, SequenceNumber string }
	sum := md5.Sum([]byte(`{"host":"shop.test","url":"/isr","eTag":"\"etvie93jht3gk\"","lastModified":1795281504000}`))
	if err := json.Unmarshal([]byte(body), &out); err != nil || out.MD5OfMessageBody != hex.EncodeToString(sum[:]) {
		t.Errorf("SendMessage: %s %s, %v", resp.Status, body, err)
	}
	if got := <-s.work; got.URL != "/isr" || got.Host != "shop.test" || got.GroupID != "revalidate-6" {
		t.Errorf("queued: %+v", got)
	}
}

func (s *server) replay(t *testing.T, name string) (*http.Response, string) {
	t.Helper()
	recorded, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	recorded = bytes.ReplaceAll(recorded, []byte("ACCESS-KEY-ID"), []byte(s.keys.Issue("one").ID))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(recorded)))
	if err != nil {
		t.Fatal(err)
	}
	target, err := http.NewRequestWithContext(t.Context(), r.Method, s.endpoint, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	target.Header, target.ContentLength = r.Header, r.ContentLength
	target.URL.Path, target.URL.RawPath, target.URL.RawQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery
	resp, err := http.DefaultClient.Do(target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, strings.TrimSpace(string(body))
}

func (s *server) writeRow(t *testing.T, row isr.TagRow) {
	t.Helper()
	if err := s.store.WriteTags(t.Context(), "one", []isr.TagRow{row}, nil); err != nil {
		t.Fatal(err)
	}
}
