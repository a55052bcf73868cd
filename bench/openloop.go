package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// paced sends requests at a fixed rate, whether or not earlier ones were answered. A server that
// falls behind does not slow it down, and a request's time counts from when it was due.
type paced struct {
	url       string
	perSecond int
	length    time.Duration
	limit     time.Duration // for one request
}

// outcome is how a server answered a paced load.
type outcome struct {
	due    int
	ok     []float64 // ms of the requests that were answered with 200
	shed   int       // 503 with Retry-After
	failed map[string]int
}

func (o outcome) okShare() float64 { return float64(len(o.ok)) / float64(o.due) }

func (o outcome) failures() (n int) {
	for _, count := range o.failed {
		n += count
	}
	return n
}

// mostOutstanding bounds the memory of the load generator.
const mostOutstanding = 20_000

func (p paced) run(ctx context.Context) outcome {
	o := outcome{failed: map[string]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	note := func(ms float64, status int, retry bool, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			o.failed["no answer"]++
		case status == http.StatusOK:
			o.ok = append(o.ok, ms)
		case status == http.StatusServiceUnavailable && retry:
			o.shed++
		default:
			o.failed[fmt.Sprintf("status %d", status)]++
		}
	}
	clients := manyClients(p.limit)
	slots := make(chan struct{}, mostOutstanding)
	began := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(p.perSecond))
		if due.Sub(began) >= p.length {
			break
		}
		time.Sleep(time.Until(due))
		o.due++
		select {
		case slots <- struct{}{}:
		default:
			note(0, 0, false, fmt.Errorf("too many requests wait"))
			continue
		}
		client := clients[n%len(clients)]
		all.Go(func() {
			defer func() { <-slots }()
			status, retry, err := askOnce(ctx, client, p.url)
			note(inMS(time.Since(due)), status, retry, err)
		})
	}
	all.Wait()
	for _, c := range clients {
		c.CloseIdleConnections()
	}
	return o
}

// manyClients have an address of their own each: the edge bounds the connections of one.
func manyClients(limit time.Duration) (all []*http.Client) {
	for n := range 64 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n+1))}}
		all = append(all, &http.Client{Timeout: limit, Transport: &http.Transport{
			DialContext: dialer.DialContext, MaxIdleConnsPerHost: 400, DisableCompression: true,
		}})
	}
	return all
}

func askOnce(ctx context.Context, client *http.Client, url string) (status int, retry bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, false, err
	}
	r.Host = shopHost
	res, err := client.Do(r)
	if err != nil {
		return 0, false, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Retry-After") != "", err
}

// tail returns the p99 of the requests that were answered.
func (o outcome) tail() float64 {
	if len(o.ok) == 0 {
		return 0
	}
	return quantile(slices.Clone(o.ok), .99)
}
