package cache

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// ask returns a request for a path in n, with request fields in pairs.
func ask(n *Namespace, target string, fields ...string) *Request {
	h := header(fields...)
	return &Request{
		Namespace: n, Key: NewKey(target), Resource: Resource{"https", "shop.test", target},
		Fields: func(name string) string { return Joined(h[name]) },
	}
}

func put(t *testing.T, r *Request, body string, fields ...string) {
	t.Helper()
	if _, ok := r.Put(response(r, body, fields...)); !ok {
		t.Fatalf("%s is not stored", body)
	}
}

func response(r *Request, body string, fields ...string) Response {
	return Response{
		Status: 200, Header: header(fields...), Body: []byte(body), Lifetime: Lifetime{Fresh: time.Minute},
		Sequence: r.Namespace.Sequence(), Received: time.Now(),
	}
}

// body returns what is stored for r, or "".
func body(r *Request) string {
	if e, _ := r.Find(time.Now()); e != nil {
		return string(e.Body)
	}
	return ""
}

func TestStore_NamespacesDoNotMeet(t *testing.T) {
	s := New(1 << 20)
	one, two := s.Namespace(), s.Namespace()
	put(t, ask(one, "/"), "one")
	if got := body(ask(two, "/")); got != "" {
		t.Errorf("the other namespace has %q", got)
	}
	two.Invalidate()
	two.Purge(Selection{})
	if got := body(ask(one, "/")); got != "one" {
		t.Errorf("a purge of the other namespace left %q", got)
	}
}

// RFC 9111, section 4.1.
func TestStore_Vary(t *testing.T) {
	n := New(1 << 20).Namespace()
	put(t, ask(n, "/", "Accept", "a"), "for a", "Vary", "Accept")
	put(t, ask(n, "/", "Accept", "b"), "for b", "Vary", "accept")
	put(t, ask(n, "/", "Accept", "a"), "for a, newer", "Vary", "Accept")
	for accept, want := range map[string]string{"a": "for a, newer", "b": "for b", "c": ""} {
		if got := body(ask(n, "/", "Accept", accept)); got != want {
			t.Errorf("Accept: %s gets %q, want %q", accept, got, want)
		}
	}
	for i := range 3 * mostVariants {
		put(t, ask(n, "/", "Accept", fmt.Sprint(i)), "x", "Vary", "Accept")
	}
	if entries, _ := n.Size(); entries > mostVariants {
		t.Errorf("one key has %d variants", entries)
	}
}

func TestKey_PartsDoNotRunTogether(t *testing.T) {
	if NewKey("a", "bc") == NewKey("ab", "c") || NewKey("a", "") == NewKey("a") {
		t.Error("different parts have one key")
	}
}

func TestNamespace_AnswersUnderWayAreNotStored(t *testing.T) {
	n := New(1 << 20).Namespace()
	for name, invalidate := range map[string]func(){
		"Invalidate":         n.Invalidate,
		"InvalidateResource": func() { n.InvalidateResource(Resource{"https", "shop.test", "/"}) },
		"Purge of a tag":     func() { n.Purge(Selection{Tag: "other"}) },
		"Purge of all":       func() { n.Purge(Selection{}) },
	} {
		n.Purge(Selection{})
		under := response(ask(n, "/"), "old")
		invalidate()
		if _, stored := ask(n, "/").Put(under); stored {
			t.Errorf("%s: an answer that was asked for before is stored", name)
		}
		if got := body(ask(n, "/")); got != "" {
			t.Errorf("%s: %q is found after it", name, got)
		}
	}
}

func TestNamespace_ManyResourcesInvalidated(t *testing.T) {
	n := New(1 << 24).Namespace()
	put(t, ask(n, "/0"), "x")
	put(t, ask(n, "/kept"), "kept")
	late := ask(n, "/late")
	answer := response(late, "late")
	for i := range mostMarks {
		n.InvalidateResource(Resource{"https", "shop.test", fmt.Sprint("/", i)})
	}
	if body(ask(n, "/0")) != "" || body(ask(n, "/kept")) != "kept" {
		t.Errorf("%q, %q", body(ask(n, "/0")), body(ask(n, "/kept")))
	}
	n.InvalidateResource(Resource{"https", "shop.test", "/more"}) // more than are remembered
	if got := body(ask(n, "/0")); got != "" {
		t.Errorf("%q is valid again", got)
	}
	if _, stored := late.Put(answer); stored {
		t.Error("an answer is stored of which the marks are forgotten")
	}
	if got := body(ask(n, "/kept")); got != "kept" {
		t.Errorf("%q", got)
	}
	if marks := len(n.resources); marks != 1 {
		t.Errorf("%d marks", marks)
	}
}

func TestNamespace_Purge(t *testing.T) {
	n := New(1 << 20).Namespace()
	fill := func() {
		put(t, ask(n, "/a"), "a", "Cache-Tag", "red, blue")
		put(t, ask(n, "/a?b"), "b", "Surrogate-Key", "red green")
		put(t, ask(n, "/c/d"), "d", "X-Nextjs-Cache", "HIT")
	}
	for _, test := range []struct {
		sel   Selection
		left  string
		count int
	}{
		{Selection{Path: "/a"}, "d", 2},
		{Selection{Path: "/a?b"}, "ad", 1},
		{Selection{Prefix: "/c/"}, "ab", 1},
		{Selection{Tag: "blue"}, "b", 2},  // and /c/d, whose tags are not known
		{Selection{Tag: "green"}, "a", 2}, // likewise
		{Selection{Host: "SHOP.test", Path: "/a"}, "d", 2},
		{Selection{Host: "other.test"}, "abd", 0},
		{Selection{}, "", 3},
	} {
		n.Purge(Selection{})
		fill()
		count, _ := n.Purge(test.sel)
		left := body(ask(n, "/a")) + body(ask(n, "/a?b")) + body(ask(n, "/c/d"))
		if left != test.left || count != test.count {
			t.Errorf("%+v: %d purged, %q left; want %d, %q", test.sel, count, left, test.count, test.left)
		}
	}
}

// A deployment that is removed leaves nothing in memory.
func TestNamespace_Drop(t *testing.T) {
	s := New(1 << 20)
	gone, kept := s.Namespace(), s.Namespace()
	for i := range 10 {
		put(t, ask(gone, fmt.Sprint("/", i)), "x")
		ask(gone, fmt.Sprint("/passing/", i)).Pass(time.Now())
	}
	put(t, ask(kept, "/"), "kept")
	gone.Drop()
	gone.Drop()
	s.variants.CleanUp()
	if u := s.Usage(); u.Entries != 1 || body(ask(kept, "/")) != "kept" {
		t.Errorf("%+v is left", u)
	}
}

func TestStore_IsBounded(t *testing.T) {
	const capacity = 1 << 20
	s := New(capacity)
	n := s.Namespace()
	for i := range 1000 {
		put(t, ask(n, fmt.Sprint("/", i)), string(make([]byte, 10_000)))
	}
	s.variants.CleanUp()
	if u := s.Usage(); u.Bytes > capacity || u.Bytes < capacity/2 {
		t.Errorf("%d octets in a store of %d", u.Bytes, capacity)
	}
	if s.Reserve(0, capacity/largestShare+1) {
		t.Error("a body larger than its share is received")
	}
	taken := int64(0)
	for s.Reserve(0, capacity/largestShare) {
		if taken += capacity / largestShare; taken > capacity {
			t.Fatal("bodies under way take more than the store")
		}
	}
	s.Release(taken)
	if !s.Reserve(0, 1) {
		t.Error("the room does not come back")
	}
}

// A crawl asks for each of many pages once. It would leave nothing else in a cache that evicts the
// page whose last use is longest ago.
func TestStore_ACrawlDoesNotEvictWhatIsUsed(t *testing.T) {
	s := New(1 << 20)
	n := s.Namespace()
	hot := func(i int) *Request { return ask(n, fmt.Sprint("/hot/", i)) }
	page := string(make([]byte, 1000))
	crawl := func(from, to int) {
		for i := from; i < to; i++ {
			put(t, ask(n, fmt.Sprint("/crawled/", i)), page)
			s.variants.CleanUp()
		}
	}
	crawl(0, 1000) // until the store is full, it counts no uses
	for range 20 {
		for i := range 20 {
			if body(hot(i)) == "" {
				put(t, hot(i), page)
			}
			s.variants.CleanUp()
		}
	}
	crawl(1000, 4000)
	kept := 0
	for i := range 20 {
		if body(hot(i)) != "" {
			kept++
		}
	}
	if kept < 10 {
		t.Errorf("%d of 20 pages in use are left after a crawl", kept)
	}
}

func TestFlight(t *testing.T) {
	n := New(1 << 20).Namespace()
	r := ask(n, "/")
	first, leads := r.Board()
	if !leads {
		t.Fatal("nobody leads")
	}
	second, leads := r.Board()
	if leads || second != first {
		t.Fatal("two requests for one page lead")
	}
	if _, leads := ask(n, "/other").Board(); !leads {
		t.Error("another page is not led")
	}
	n.Invalidate()
	after, leads := r.Board()
	if !leads {
		t.Error("a request after an invalidation waits for an answer from before")
	}
	after.End(NotShared, nil)
	put(t, r, "x")
	e, _ := r.Find(time.Now())
	first.End(Done, e)
	first.End(NotShared, nil) // of no effect
	now := time.Now()
	if outcome, err := second.Wait(t.Context()); outcome != Done || err != nil || second.Entry(r, now) != e {
		t.Errorf("%v, %v, %v", outcome, err, second.Entry(r, now))
	}
	if late := now.Add(e.Fresh + time.Hour); second.Entry(r, late) != nil {
		t.Error("a request that came when the response was stale gets it")
	}
	if _, leads := r.Board(); !leads {
		t.Error("the flight does not end")
	}
}

func TestFlight_VariantsDoNotWaitForEachOther(t *testing.T) {
	n := New(1 << 20).Namespace()
	put(t, ask(n, "/", "Accept", "a"), "for a", "Vary", "Accept")
	if _, leads := ask(n, "/", "Accept", "b").Board(); !leads {
		t.Fatal("nobody leads for b")
	}
	if _, leads := ask(n, "/", "Accept", "c").Board(); !leads {
		t.Error("c waits for b")
	}
}

func TestRequest_Pass(t *testing.T) {
	n := New(1 << 20).Namespace()
	r, now := ask(n, "/"), time.Now()
	r.Pass(now)
	if _, passing := r.Find(now); !passing {
		t.Error("the key is not marked")
	}
	if _, passing := r.Find(now.Add(passFor)); passing {
		t.Error("the mark does not end")
	}
	put(t, r, "x")
	if e, passing := r.Find(now); e == nil || passing {
		t.Error("a stored response does not remove the mark")
	}
}

// Readers, writers and invalidations at the same time: what is found was asked for after the last
// invalidation that had returned before.
func TestNamespace_Concurrently(t *testing.T) {
	n := New(1 << 20).Namespace()
	var version sync.Map // of int, by key "v"
	version.Store("v", 0)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r := ask(n, "/")
				sequence := n.Sequence()
				v, _ := version.Load("v")
				answer := response(r, fmt.Sprint(v))
				answer.Sequence = sequence
				r.Put(answer)
			}
		})
	}
	for i := 1; i <= 2000; i++ {
		version.Store("v", i)
		switch i % 3 {
		case 0:
			n.Invalidate()
		case 1:
			n.InvalidateResource(Resource{"https", "shop.test", "/"})
		default:
			n.Purge(Selection{Path: "/"})
		}
		if got := body(ask(n, "/")); got != "" && got != fmt.Sprint(i) {
			t.Errorf("%s is found after version %d was announced", got, i)
			break
		}
	}
	close(stop)
	wg.Wait()
}

func TestEntry_Form(t *testing.T) {
	e, calls := &Entry{}, 0
	for i, coding := range []string{"", "br", "", "br", "x-new", "x-new"} {
		if ready := e.Ready(coding); (ready != nil) != (i == 2 || i == 3) {
			t.Errorf("call %d: the form in %q: %v", i, coding, ready)
		}
		form := e.Prepare(coding, func() *Form { calls++; return &Form{Body: []byte("in " + coding)} })
		if string(form.Body) != "in "+coding {
			t.Errorf("%q in %q", form.Body, coding)
		}
	}
	if calls != 4 { // two are kept
		t.Errorf("%d forms were made", calls)
	}
}

func TestStatus_String(t *testing.T) {
	for want, s := range map[string]Status{
		"anchor; hit; ttl=30":                               {Hit: true, TTL: 30*time.Second + 1, HasTTL: true},
		"anchor; hit; ttl=-2":                               {Hit: true, TTL: -2 * time.Second, HasTTL: true},
		"anchor; fwd=uri-miss; stored":                      {Forward: ForwardMiss, Stored: true},
		"anchor; fwd=bypass; detail=draft":                  {Forward: ForwardBypass, Detail: "draft"},
		"anchor; fwd=uri-miss; ttl=60; collapsed":           {Forward: ForwardMiss, TTL: time.Minute, HasTTL: true, Collapsed: true},
		"anchor; fwd=stale; ttl=0; stored; detail=replaced": {Forward: ForwardStale, HasTTL: true, Stored: true, Detail: "replaced"},
	} {
		if got := s.String(); got != want {
			t.Errorf("RFC 9211: %q, want %q", got, want)
		}
	}
}
