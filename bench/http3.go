package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// measureHTTP3 compares the edge with Caddy, which uses the same library.
func measureHTTP3(ctx context.Context, l *lab) ([]result, error) {
	assets := filepath.Join(l.storefront, ".open-next", "assets")
	path, length, err := typicalChunk(assets, 6<<10)
	if err != nil {
		return nil, err
	}
	certificates, err := l.makeCertificate()
	if err != nil {
		return nil, err
	}
	ours, port, err := l.edgeServer(ctx, assets, certificates)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	caddy, caddyPort, err := l.caddyTLS(ctx, assets, path, certificates)
	if err != nil {
		return nil, err
	}
	defer caddy.stop()
	row, err := l.overHTTP3(ctx, path, length, ours, port, caddy, caddyPort)
	return []result{row}, err
}

const http3Connections = 8

// overHTTP3 loads both servers with the same client, each connection with four requests at a time.
func (l *lab) overHTTP3(ctx context.Context, path string, length int64, ours *process, port int, peer *process, peerPort int) (result, error) {
	var ratios, costA, costB, rateA, rateB []float64
	for n := range l.rounds {
		var cost, rate [2]float64
		for i, s := range []struct {
			p    *process
			port int
		}{{ours, port}, {peer, peerPort}} {
			before, err := s.p.cpuTime()
			if err != nil {
				return result{}, err
			}
			answered, err := loadHTTP3(ctx, fmt.Sprintf("https://127.0.0.1:%d%s", s.port, path), length, l.length/2)
			if err != nil {
				return result{}, err
			}
			after, err := s.p.cpuTime()
			if err != nil {
				return result{}, err
			}
			cost[i], rate[i] = float64((after-before).Microseconds())/float64(answered), float64(answered)/(l.length/2).Seconds()
		}
		l.say("  HTTP/3 round %d: %.0f/s at %.0f µs, peer %.0f/s at %.0f µs", n+1, rate[0], cost[0], rate[1], cost[1])
		ratios, costA, costB = append(ratios, cost[1]/cost[0]), append(costA, cost[0]), append(costB, cost[1])
		rateA, rateB = append(rateA, rate[0]), append(rateB, rate[1])
	}
	ratio := median(ratios)
	return result{
		what: "static asset over HTTP/3, one core each", ours: fmt.Sprintf("%.0f/s", median(rateA)), peer: fmt.Sprintf("Caddy: %.0f/s", median(rateB)), ratio: times(ratio),
		budget: "≥ 1 × Caddy, by processor time", verdict: judge(ratio >= 1),
		how: []string{fmt.Sprintf("A file of %s; the same client for both, quic-go's, with %d connections of four requests at a time; %d interleaved rounds of %s. The server is confined to one core. "+
			"A request took %.0f µs of the edge's processor time and %.0f µs of Caddy's.", size(length), http3Connections, l.rounds, l.length/2, median(costA), median(costB))},
	}, nil
}

// loadHTTP3 requests a file as often as it can, and returns how often it got it.
func loadHTTP3(ctx context.Context, url string, length int64, d time.Duration) (answered int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var count atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, 4*http3Connections)
	for range http3Connections {
		transport := &http3.Transport{TLSClientConfig: &tls.Config{ServerName: shopHost, InsecureSkipVerify: true}, DisableCompression: true} // a certificate of our own
		defer transport.Close()
		for range 4 {
			all.Go(func() {
				for ctx.Err() == nil {
					if err := askHTTP3(ctx, transport, url, length); err != nil && ctx.Err() == nil {
						failed <- err
						return
					} else if err == nil {
						count.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	select {
	case err = <-failed:
	default:
	}
	if count.Load() == 0 {
		err = errors.Join(err, fmt.Errorf("%s: no answer", url))
	}
	return count.Load(), err
}

func askHTTP3(ctx context.Context, transport *http3.Transport, url string, length int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Host = shopHost
	res, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != length) {
		err = fmt.Errorf("%s: status %d, %d octets", url, res.StatusCode, n)
	}
	return err
}
