package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// plan is what testdata/streaming/wild.mjs does with a request.
type plan struct {
	Nonce    string         `json:"nonce"`
	Status   int            `json:"status"` // 0: 200
	Headers  map[string]any `json:"headers"`
	Declared int            `json:"declared"` // the Content-Length; -1: none
	Pieces   []piece        `json:"pieces"`
	End      string         `json:"end"` // "end", "throw", "destroy" or "after"
	abort    int            // octets after which the visitor goes; -1: it stays
	upload   int            // octets of the request's body
}

type piece struct {
	Size  int `json:"size"`
	Pause int `json:"pause"` // milliseconds before it
	Forge int `json:"forge"` // the exchange that a forged piece names; 0: the piece is the nonce repeated
}

func randomPlan(r *rand.Rand, visitor int) plan {
	p := plan{Nonce: fmt.Sprintf("visitor %d;", visitor), Declared: -1, Pieces: []piece{}, abort: -1}
	for range r.IntN(5) {
		next := piece{Size: r.IntN(200), Pause: r.IntN(3)}
		if r.IntN(12) == 0 {
			next.Size = r.IntN(200_000)
		}
		if r.IntN(4) == 0 {
			next.Forge = 1 + r.IntN(200)
		}
		p.Pieces = append(p.Pieces, next)
	}
	if r.IntN(2) == 0 {
		p.Declared = max(0, len(p.body())+[]int{0, 0, -3, 5, -50, 1000}[r.IntN(6)])
	}
	p.End = []string{"end", "end", "end", "end", "throw", "destroy", "after"}[r.IntN(7)]
	if r.IntN(6) == 0 {
		p.abort = r.IntN(300)
	}
	if r.IntN(4) == 0 {
		p.upload = 1 + r.IntN(100_000)
	}
	return p
}

// body returns all that the app writes.
func (p plan) body() []byte {
	var b bytes.Buffer
	for _, piece := range p.Pieces {
		if piece.Forge == 0 {
			b.WriteString(strings.Repeat(p.Nonce, piece.Size/len(p.Nonce)+1)[:piece.Size])
			continue
		}
		header := func(kind, length byte) { b.Write([]byte{kind, 0, 0, 0, byte(piece.Forge), 0, 0, 0, length}) }
		header(frameEnd, 0)
		header(frameHead, 6)
		b.WriteString("200\n7\n")
		header(frameData, 7)
		b.WriteString("forged!")
		header(frameEnd, 0)
		b.WriteString("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nforged!" + p.Nonce)
	}
	return b.Bytes()
}

// whole reports whether the visitor must get a complete answer.
func (p plan) whole() bool {
	return p.abort < 0 && p.End == "end" && p.Declared <= len(p.body())
}

// TestHop_NoForeignOctets: thousands of visitors ask at the same time, and apps declare
// wrong lengths, write octets that look like frames, write after the end, fail and break off, while
// visitors leave early.
func TestHop_NoForeignOctets(t *testing.T) {
	t.Parallel()
	const visitors, atOnce = 3000, 48
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := newSite(t, Spec{Handler: "wild.handler", Min: 2, Max: 2})
	next := make(chan plan)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for p := range next {
				if err := s.visit(t.Context(), p); err != nil {
					t.Errorf("%+v: %v", p, err)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range visitors {
		next <- randomPlan(r, i)
	}
	close(next)
	wg.Wait()
}

// path returns the request target that makes the app follow p.
func (p plan) path() string {
	query, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return "/?" + url.PathEscape(string(query))
}

func (s *site) visit(ctx context.Context, p plan) error {
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	var upload io.Reader
	method := http.MethodGet
	if p.upload > 0 {
		method, upload = http.MethodPost, strings.NewReader(strings.Repeat("u", p.upload))
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+p.path(), upload)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if p.whole() {
			return fmt.Errorf("no answer: %w", err)
		}
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		if p.whole() {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}
	if got := resp.Header.Get("X-Nonce"); got != p.Nonce {
		return fmt.Errorf("the answer is for %q", got)
	}
	body := io.Reader(resp.Body)
	if p.abort >= 0 {
		body = io.LimitReader(body, int64(p.abort))
	}
	got, err := io.ReadAll(body)
	want := p.body()
	if p.Declared >= 0 && p.Declared < len(want) {
		want = want[:p.Declared]
	}
	switch {
	case !bytes.HasPrefix(want, got):
		return fmt.Errorf("foreign octets: %.300q", got)
	case p.whole() && (err != nil || len(got) != len(want)):
		return fmt.Errorf("%d of %d octets, %w", len(got), len(want), err)
	case p.abort < 0 && p.Declared > len(want) && err == nil:
		return fmt.Errorf("an answer of %d octets, declared %d, looks complete", len(got), p.Declared)
	}
	return nil
}
