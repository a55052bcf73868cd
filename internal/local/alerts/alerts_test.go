package alerts

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/retry"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const shop = anchor.ProjectID("01jaaaaaaaaaaaaaaaaaaaaaaa")

type stand struct {
	*Service
	store *sqlite.Store
}

func newStand(t *testing.T, c Config) stand {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "anchor.db"))
	must(t, err)
	box, err := secret.New(make([]byte, 32))
	must(t, err)
	must(t, store.CreateProject(t.Context(), anchor.Project{ID: shop, Slug: "shop", ProductionBranch: "main"}))
	c.Records, c.Box, c.Log = store, box, slog.New(slog.DiscardHandler)
	if c.Gather == 0 {
		c.Gather = time.Millisecond
	}
	s := New(c)
	t.Cleanup(func() { must(t, s.Close()); must(t, store.Close()) })
	return stand{s, store}
}

// receiver is an HTTP server that answers with the statuses given, then with 204.
type receiver struct {
	*httptest.Server
	got chan delivery

	mu       sync.Mutex
	statuses []int
}

type delivery struct {
	http.Header
	body []byte
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{got: make(chan delivery, 100), statuses: statuses}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.statuses) > 0 {
			status := r.statuses[0]
			r.statuses = r.statuses[1:]
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
			return
		}
		r.got <- delivery{req.Header, body}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (s stand) add(t *testing.T, c anchor.AlertChannel, target anchor.AlertTarget) (anchor.AlertChannel, anchor.AlertTarget) {
	t.Helper()
	c, target, err := s.Add(t.Context(), c, target)
	must(t, err)
	return c, target
}

func alert(event, key string) anchor.Alert { return anchor.Alert{Event: event, Key: key, Title: key} }

func TestWebhook_IsSigned(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t)
	c, target := s.add(t, anchor.AlertChannel{Kind: "webhook"}, anchor.AlertTarget{URL: r.URL + "/hook?token=hidden"})
	s.Raise(anchor.Alert{Event: "failed-deploy", Key: "k", Project: "shop", ProjectID: shop, Title: "boom"})
	d := <-r.got
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(target.Secret, "whsec_"))
	must(t, err)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", d.Get("Webhook-Id"), d.Get("Webhook-Timestamp"), d.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); d.Get("Webhook-Signature") != want {
		t.Errorf("signature %q, want %q", d.Get("Webhook-Signature"), want)
	}
	var m message
	must(t, json.Unmarshal(d.body, &m))
	if len(m.Alerts) != 1 || m.Alerts[0].Title != "boom" || m.Alerts[0].Time == 0 {
		t.Errorf("%s", d.body)
	}
	all, err := s.List(t.Context())
	must(t, err)
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, "hidden") || !strings.Contains(text, c.Target) {
		t.Errorf("the list shows %s", text)
	}
}

func TestSlack_GetsTextWithoutMarkup(t *testing.T) {
	s, r := newStand(t, Config{}), newReceiver(t)
	s.add(t, anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: r.URL})
	s.Raise(anchor.Alert{Event: "new-error", Key: "k", Project: "shop", Title: "<!channel> a\nb", Text: "x & y\nz"})
	var got struct{ Text string }
	must(t, json.Unmarshal((<-r.got).body, &got))
	if got.Text != "shop: &lt;!channel&gt; a b\n  x &amp; y\n  z\n" {
		t.Errorf("%q", got.Text)
	}
}

// TestEmail sends to a server that speaks as much of SMTP (RFC 5321) as is needed.
func TestEmail(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	mails := make(chan string, 1)
	go serveSMTP(listener, mails)
	s := newStand(t, Config{})
	c, _ := s.add(t, anchor.AlertChannel{Kind: "email"}, anchor.AlertTarget{SMTP: "smtp://" + listener.Addr().String(), From: "anchor@example.com", To: "ops@example.com"})
	if c.Target != "ops@example.com" {
		t.Errorf("the target is %q", c.Target)
	}
	s.Raise(anchor.Alert{Event: "failed-deploy", Key: "k", Project: "shop", Title: "boom\r\nBcc: other@example.com"})
	text := <-mails
	for _, want := range []string{"\r\nSubject: [Anchor] shop: boom Bcc: other@example.com\r\n", "\r\nTo: <ops@example.com>\r\n", "\r\nFrom: <anchor@example.com>\r\n", "\r\nDate: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\r\nBcc:") {
		t.Errorf("a title became a field:\n%s", text)
	}
}

func serveSMTP(l net.Listener, mails chan<- string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "220 test\r\n")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				break
			}
			switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
			case "DATA":
				fmt.Fprint(conn, "354 go on\r\n")
				text := "\r\n"
				for !strings.HasSuffix(text, "\r\n.\r\n") {
					more, err := in.ReadString('\n')
					if err != nil {
						break
					}
					text += more
				}
				mails <- text
				fmt.Fprint(conn, "250 ok\r\n")
			case "QUIT":
				fmt.Fprint(conn, "221 bye\r\n")
			default:
				fmt.Fprint(conn, "250 ok\r\n")
			}
		}
		conn.Close()
	}
}

// TestTroubles_AreReportedOnce with their end, and no storm reaches a channel.
func TestTroubles_AreReportedOnce(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	s, r := newStand(t, Config{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}), newReceiver(t)
	s.add(t, anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: r.URL})
	next := func(want string) {
		t.Helper()
		var got struct{ Text string }
		must(t, json.Unmarshal((<-r.got).body, &got))
		if got.Text != want+"\n" {
			t.Errorf("%q, want %q", got.Text, want)
		}
	}
	over := alert("error-rate", "rate")
	over.Resolved = true
	s.Set(over) // was not open
	s.Set(alert("error-rate", "rate"))
	s.Set(alert("error-rate", "rate"))
	next("rate")
	s.Set(over)
	s.Set(over)
	next("resolved: rate")
	s.Raise(alert("new-error", "e"))
	s.Raise(alert("new-error", "e"))
	next("e")
	pass(sameAgain)
	s.Raise(alert("new-error", "e"))
	next("e")
	if len(r.got) != 0 {
		t.Errorf("more: %s", (<-r.got).body)
	}
}

func TestChannel_GetsWhatItAskedFor(t *testing.T) {
	s, r, other := newStand(t, Config{}), newReceiver(t), newReceiver(t)
	s.add(t, anchor.AlertChannel{Kind: "slack", Events: []string{"error-rate"}, ProjectID: shop}, anchor.AlertTarget{URL: r.URL})
	s.add(t, anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: other.URL})
	s.Raise(alert("server-check", "disk"))
	<-other.got
	ours := alert("error-rate", "ours")
	ours.ProjectID = shop
	s.Raise(alert("new-error", "new"))
	<-other.got
	s.Raise(ours)
	if d := <-r.got; !strings.Contains(string(d.body), "ours") {
		t.Errorf("%s", d.body)
	}
	<-other.got
}

// TestStorm_IsBounded: what does not fit into the hour is counted, not sent.
func TestStorm_IsBounded(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	s, r := newStand(t, Config{Hourly: 1, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}), newReceiver(t)
	c, _ := s.add(t, anchor.AlertChannel{Kind: "webhook"}, anchor.AlertTarget{URL: r.URL})
	box := &outbox{busy: true} // nothing is sent until the test does
	s.sending[c.ID] = box
	for i := range maxGathered + 7 {
		s.put(c.ID, alert("new-error", fmt.Sprint(i)))
	}
	m, ok := s.take(box)
	if !ok || len(m.Alerts) != maxGathered || m.Left != 7 {
		t.Errorf("%v: %d alerts, %d left out", ok, len(m.Alerts), m.Left)
	}
	box.busy = true
	s.put(c.ID, alert("new-error", "within the hour"))
	if m, ok := s.take(box); ok {
		t.Errorf("a second message in an hour: %+v", m)
	}
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	s.put(c.ID, alert("new-error", "later"))
	var got message
	must(t, json.Unmarshal((<-r.got).body, &got))
	if len(got.Alerts) != 1 || got.Left != 1 {
		t.Errorf("%+v", got)
	}
}

// TestSend_Retries what may succeed later, notes what failed, and does not follow redirects.
func TestSend_Retries(t *testing.T) {
	quick := retry.Policy{First: time.Millisecond, Longest: time.Millisecond, Calls: 3}
	s, r := newStand(t, Config{Retries: quick}), newReceiver(t, 500, 429)
	s.add(t, anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: r.URL})
	s.Raise(alert("new-error", "a"))
	<-r.got
	for _, statuses := range [][]int{{404}, {302}, {500, 500, 500}} {
		r := newReceiver(t, statuses...)
		c, _ := s.add(t, anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: r.URL + "/secret"})
		s.sendTo(c.ID, message{Alerts: []anchor.Alert{alert("new-error", "a")}, at: time.Now()})
		all, err := s.List(t.Context())
		must(t, err)
		i := slices.IndexFunc(all, func(one anchor.AlertChannel) bool { return one.ID == c.ID })
		if got := all[i]; got.LastAt == 0 || got.LastError != fmt.Sprintf("the answer is %d %s", statuses[0], http.StatusText(statuses[0])) {
			t.Errorf("%v: %+v", statuses, got)
		}
		r.Close()
		if err := s.Test(t.Context(), c.ID); anchor.CodeOf(err) != "alert_not_sent" || strings.Contains(err.Error()+anchor.HintOf(err), "secret") {
			t.Errorf("a test of a channel that does not answer: %v %s", err, anchor.HintOf(err))
		}
		must(t, s.Remove(t.Context(), c.ID))
		if err := s.Remove(t.Context(), c.ID); anchor.KindOf(err) != anchor.KindNotFound {
			t.Errorf("removed twice: %v", err)
		}
	}
}

func TestAdd_RefusesWhatCannotWork(t *testing.T) {
	s := newStand(t, Config{})
	mail := anchor.AlertTarget{SMTP: "smtp://h", From: "a@example.com", To: "b@example.com"}
	with := func(change func(*anchor.AlertTarget)) anchor.AlertTarget { m := mail; change(&m); return m }
	for _, test := range []struct {
		c    anchor.AlertChannel
		t    anchor.AlertTarget
		code string
	}{
		{anchor.AlertChannel{Kind: "pager"}, anchor.AlertTarget{}, "bad_alert_kind"},
		{anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{}, "bad_alert_target"},
		{anchor.AlertChannel{Kind: "slack"}, anchor.AlertTarget{URL: "file:///etc/passwd"}, "bad_alert_target"},
		{anchor.AlertChannel{Kind: "webhook"}, anchor.AlertTarget{URL: "https://h", Secret: "whsec_!"}, "bad_alert_secret"},
		{anchor.AlertChannel{Kind: "slack", Events: []string{"disk"}}, anchor.AlertTarget{URL: "https://h"}, "bad_alert_event"},
		{anchor.AlertChannel{Kind: "email"}, with(func(m *anchor.AlertTarget) { m.SMTP = "h:25" }), "bad_alert_target"},
		{anchor.AlertChannel{Kind: "email"}, with(func(m *anchor.AlertTarget) { m.To = "b" }), "bad_alert_target"},
		{anchor.AlertChannel{Kind: "email"}, with(func(m *anchor.AlertTarget) { m.From = "B <b@example.com>" }), "bad_alert_target"},
		{anchor.AlertChannel{Kind: "slack", ProjectID: "01jzzzzzzzzzzzzzzzzzzzzzzz"}, anchor.AlertTarget{URL: "https://h"}, "unknown_project"},
	} {
		if _, _, err := s.Add(t.Context(), test.c, test.t); anchor.CodeOf(err) != test.code || anchor.HintOf(err) == "" {
			t.Errorf("%+v %+v: %v (%s)", test.c, test.t, err, anchor.HintOf(err))
		}
	}
	if all, err := s.List(context.Background()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
