package main

import (
	"strings"
	"testing"
	"time"
)

// A round of wrk 4.1.0 as it prints it, seconds with a blank after them.
const wrkSaid = `Running 4s test @ http://127.0.0.1:45191/dynamic
  1 threads and 32 connections
  Latency Distribution
     50%  450.25us
     75%    2.90s 
     90%    3.03s 
     99%    3.94s 
  44 requests in 4.09s, 493.44KB read
Requests/sec:     10.75
Transfer/sec:    120.58KB
`

func TestReadWrk(t *testing.T) {
	got, err := readWrk(wrkSaid)
	want := loaded{perSecond: 10.75, p50: 450250 * time.Nanosecond, p99: 3940 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{
		"", "Requests/sec: 10.75\n",
		wrkSaid + "  Non-2xx or 3xx responses: 1\n",
		wrkSaid + "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
	} {
		if got, err := readWrk(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestQuantiles(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	if got := quantile(hundred, .99); got != 99 {
		t.Errorf("p99 is %v", got)
	}
	if got := quantile(hundred, 1); got != 100 {
		t.Errorf("the largest is %v", got)
	}
	if got := median(hundred); got != 50.5 {
		t.Errorf("the median is %v", got)
	}
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("the median of three is %v", got)
	}
}

func TestReadH2load(t *testing.T) {
	const out = `finished in 9.90s, 20211.65 req/s, 122.78MB/s
requests: 200000 total, 200000 started, 200000 done, 200000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 200000 2xx, 0 3xx, 0 4xx, 0 5xx
`
	got, err := readH2load(out)
	if err != nil || got.perSecond != 20211.65 {
		t.Errorf("%v, %v", got, err)
	}
	for _, broken := range []string{"", strings.Replace(out, "0 errored", "3 errored", 1), strings.Replace(out, "0 4xx", "1 4xx", 1)} {
		if _, err := readH2load(broken); err == nil {
			t.Errorf("no error for %q", broken)
		}
	}
}
