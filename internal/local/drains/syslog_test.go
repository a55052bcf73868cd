package drains

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

var logged = event{
	Source: "app", Project: "shop", Time: time.UnixMilli(1764300000123), Level: "error", Text: "TypeError: x\n    at y", Deployment: "d1", Function: "default",
	RequestID: `a"]\`, Attributes: map[string]any{"url.path": "/cart"},
}

// checkMessage compares a message with logged, as a parser of RFC 5424 reads it.
func checkMessage(t *testing.T, m syslog.Message) {
	t.Helper()
	got, ok := m.(*rfc5424.SyslogMessage)
	if !ok || !got.Valid() || got.Appname == nil || got.MsgID == nil || got.ProcID == nil || got.Message == nil || got.StructuredData == nil {
		t.Fatalf("%+v is not a whole message", m)
	}
	data := (*got.StructuredData)["anchor@32473"]
	if *got.Severity != 3 || *got.Facility != 16 || *got.Appname != "shop" || *got.ProcID != "default" || *got.MsgID != "app" || *got.Message != logged.Text || !got.Timestamp.Equal(logged.Time) {
		t.Errorf("%+v", got)
	}
	if data["deployment"] != "d1" || data["requestId"] != logged.RequestID || data["path"] != "/cart" || data["traceId"] != "" {
		t.Errorf("structured data %v", data)
	}
}

func TestSyslog_UDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer conn.Close()
	s := newSyslog("syslog+udp://" + conn.LocalAddr().String())
	defer s.close()
	long := logged
	long.Text = strings.Repeat("é", maxDatagram)
	must(t, s.send(t.Context(), []event{logged, long}))
	for _, whole := range []bool{true, false} {
		b := make([]byte, 64<<10)
		n, _, err := conn.ReadFrom(b)
		must(t, err)
		m, err := rfc5424.NewParser().Parse(b[:n])
		must(t, err)
		if whole {
			checkMessage(t, m)
		} else if n > maxDatagram || n < maxDatagram-1 {
			t.Errorf("a long message has %d octets", n)
		}
	}
}

// streams is a syslog server over TCP or TLS that passes on what it reads.
func streams(t *testing.T, l net.Listener) <-chan *syslog.Result {
	got := make(chan *syslog.Result, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			octetcounting.NewParser(syslog.WithListener(func(r *syslog.Result) {
				if r.Error == nil { // else the connection has ended
					got <- r
				}
				conn.Close() // after one message: the next one needs another connection
			})).Parse(conn)
		}
	}()
	t.Cleanup(func() { l.Close() })
	return got
}

func TestSyslog_TCP_ConnectsAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	got := streams(t, l)
	s := newSyslog("syslog+tcp://" + l.Addr().String())
	defer s.close()
	for range 2 {
		must(t, s.send(t.Context(), []event{logged}))
		r := <-got
		must(t, r.Error)
		checkMessage(t, r.Message)
		for !s.isClosed() { // until the end of the connection has arrived
			runtime.Gosched()
		}
	}
}

func TestSyslog_TLS_VerifiesTheServer(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // for its certificate of 127.0.0.1
	web.StartTLS()
	defer web.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	must(t, err)
	got := streams(t, l)
	s := newSyslog("syslog+tls://" + l.Addr().String())
	defer s.close()
	if err := s.send(t.Context(), []event{logged}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	s.config.RootCAs = x509.NewCertPool()
	s.config.RootCAs.AddCert(web.Certificate())
	must(t, s.send(t.Context(), []event{logged}))
	r := <-got
	must(t, r.Error)
	checkMessage(t, r.Message)
}

func TestSyslog_EndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody reads
	must(t, err)
	defer l.Close()
	s := newSyslog("syslog+tcp://" + l.Addr().String())
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	large := logged
	large.Text = strings.Repeat("x", 16<<20)
	if err := s.send(ctx, []event{large}); err == nil {
		t.Error("16 MiB were written to a server that does not read")
	}
}

func TestPrepare_CompletesTargets(t *testing.T) {
	for from, want := range map[string]string{
		"syslog syslog+udp://h.example": "syslog+udp://h.example:514", "syslog syslog+tcp://h.example": "syslog+tcp://h.example:601",
		"syslog syslog+tls://h.example": "syslog+tls://h.example:6514", "syslog syslog+tls://[::1]:99": "syslog+tls://[::1]:99",
		"loki https://h.example": "https://h.example/loki/api/v1/push", "otlp http://h.example/": "http://h.example/v1/logs",
		"otlp https://h.example/x": "https://h.example/x", "http https://u:p@h.example": "https://u:p@h.example",
	} {
		kind, target, _ := strings.Cut(from, " ")
		d, to := anchor.Drain{Kind: kind}, anchor.DrainTarget{URL: target}
		if err := prepare(&d, &to); err != nil || to.URL != want || strings.Contains(d.Target, "@") {
			t.Errorf("%s: %s (%s), %v; want %s", from, to.URL, d.Target, err, want)
		}
	}
}
