package api

import (
	"context"
	"encoding/binary"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestAttempts_SlowWrongTokensIncreasingly(t *testing.T) {
	a, from := newAttempts(), netip.MustParsePrefix("192.0.2.1/32")
	now := time.Now()
	a.now = func() time.Time { return now }
	var before time.Duration
	for n := 1; n <= 40; n++ {
		failed, delay, ok := a.fail(from)
		if !ok || failed != n || delay < before || delay > longestDelay || (n <= freeFailures) != (delay == 0) {
			t.Fatalf("wrong token %d: %d, %s, %t after %s", n, failed, delay, ok, before)
		}
		if before = delay; delay > 0 {
			a.done(from)
		}
	}
	if before != longestDelay {
		t.Errorf("the last of them waits %s", before)
	}
	if _, delay, _ := a.fail(netip.MustParsePrefix("192.0.2.2/32")); delay != 0 {
		t.Errorf("another address waits %s", delay)
	}
	now = now.Add(forgetFailures + 1)
	if failed, delay, _ := a.fail(from); failed != 1 || delay != 0 {
		t.Errorf("long after: %d, %s", failed, delay)
	}
}

func TestAttempts_BoundWaitingTokens(t *testing.T) {
	a, from := newAttempts(), netip.MustParsePrefix("192.0.2.1/32")
	waiting := 0
	for range freeFailures + 3*waitingEach {
		if _, delay, ok := a.fail(from); ok && delay > 0 {
			waiting++
		}
	}
	if waiting != waitingEach {
		t.Errorf("%d wait, want %d", waiting, waitingEach)
	}
	a.done(from)
	if _, delay, ok := a.fail(from); !ok || delay == 0 {
		t.Errorf("after one has waited: %s, %t", delay, ok)
	}
}

func TestAttempts_BoundMemory(t *testing.T) {
	a := newAttempts()
	var now time.Time
	a.now = func() time.Time { now = now.Add(time.Nanosecond); return now }
	for n := range uint32(2 * maxAddresses) {
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], n)
		a.fail(netip.PrefixFrom(netip.AddrFrom4(addr), 32))
	}
	if len(a.byAddr) != maxAddresses {
		t.Errorf("%d addresses are remembered", len(a.byAddr))
	}
}

func TestClientAddress(t *testing.T) {
	s := &server{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, test := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:1", "", "192.0.2.1/32"},
		{"192.0.2.1:1", "198.51.100.9", "192.0.2.1/32"}, // no proxy of ours: it may say what it likes
		{"127.0.0.1:1", "", "127.0.0.1/32"},
		{"127.0.0.1:1", "198.51.100.9", "198.51.100.9/32"},
		{"127.0.0.1:1", "6.6.6.6, 198.51.100.9, 10.1.2.3", "198.51.100.9/32"},
		{"127.0.0.1:1", "nonsense", "127.0.0.1/32"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1/32"},
		{"[2001:db8:1:2:3::4]:1", "", "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:1", "", "fe80::/64"},
		{"", "", "invalid Prefix"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{}}
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := s.client(r).String(); got != test.want {
			t.Errorf("%q by way of %q: %s, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}

func TestSleep_EndsWithRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sleep(ctx, time.Hour)
}
