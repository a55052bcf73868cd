package cache

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// Entry is a stored response. It does not change; its header and body are shared by all readers.
type Entry struct {
	*facts
	Header http.Header
	Body   []byte

	untold bool // the app would name the tags with the next answer
	hits   atomic.Int64
	asked  atomic.Bool

	forms   forms
	encoded []encodedBody // that the disk had
}

// facts are what is known of a response whose header and body may be on disk only. The response in
// memory and its file share them.
type facts struct {
	Status int
	Lifetime

	resource Resource
	vary     []string // names of request fields, canonical and sorted
	values   []string // their values, in the same order
	tags     []string
	tagged   bool // tags are all that there are
	traced   bool // of what an app can revalidate, the response has what tags say, and nothing else
	keyed    bool // tags name all pages of the app's cache that it was made from

	received   time.Time
	initialAge time.Duration
	sequence   uint64        // of the namespace, when the response was asked for
	checked    atomic.Uint64 // 1 more than the namespace's sequence when the response was last known to be valid
}

// encodedBody is a body in a content coding.
type encodedBody struct {
	coding string
	body   []byte
}

// Encoded returns the body in a content coding if it does not have to be encoded again; else nil.
func (e *Entry) Encoded(coding string) []byte {
	for _, one := range e.encoded {
		if one.coding == coding {
			return one.body
		}
	}
	return nil
}

// encodedBodies returns the body in all content codings that were asked for so far.
func (e *Entry) encodedBodies() (all []encodedBody) {
	for i, coding := range codings {
		if coding == "" {
			continue
		}
		if form := e.forms.ready[i].Load(); form != nil {
			all = append(all, encodedBody{coding, form.Body})
		} else if body := e.Encoded(coding); body != nil {
			all = append(all, encodedBody{coding, body})
		}
	}
	return all
}

// Resource names what a response is a representation of.
type Resource struct {
	Scheme, Host string
	Target       string // path and query
}

func (r Resource) String() string { return r.Scheme + "://" + r.Host + r.Target }

// untoldTime is how long an app has to store a page after it has answered with it.
const untoldTime = time.Second

// AsksForTags reports whether the app should be asked for the response again, because it names the
// tags only of a page that it has stored. Ask once: Asked then returns true.
func (e *Entry) AsksForTags(now time.Time) bool {
	return e.untold && !e.asked.Load() && now.Sub(e.received) >= untoldTime
}

// Asked records that the app is asked for the response again, and reports whether it was not before.
func (e *Entry) Asked() bool { return e.asked.CompareAndSwap(false, true) }

// IsUntold reports whether the app will name the tags if it is asked again.
func (e *Entry) IsUntold() bool { return e.untold }

// CountHit counts a request that got the response, here and in a counter of the namespace.
func (e *Entry) CountHit(all *atomic.Int64) {
	e.hits.Add(1)
	all.Add(1)
}

// Age is the response's age in the sense of RFC 9111, section 4.2.3.
func (e *facts) Age(now time.Time) time.Duration {
	return e.initialAge + max(now.Sub(e.received), 0)
}

// TTL is how long the response stays fresh; below 0 it is stale.
func (e *facts) TTL(now time.Time) time.Duration { return e.Fresh - e.Age(now) }

// State is what a response may be used for.
type State int

// States of a response: fresh; stale, but sent while it is validated; to be validated first.
const (
	Fresh State = iota
	WhileAway
	Stale
)

// State returns what the response may be used for now.
func (e *facts) State(now time.Time) State {
	switch age := e.Age(now); {
	case age < e.Fresh:
		return Fresh
	case age < e.Fresh+e.StaleWhileRevalidate:
		return WhileAway
	}
	return Stale
}

// ServesErrors reports whether the response may be sent instead of an error (RFC 5861, section 4).
func (e *facts) ServesErrors(now time.Time) bool {
	return e.Age(now) < e.Fresh+e.StaleIfError
}

// Validators returns the preconditions by which the response is validated; nil if it has no
// validator.
func (e *Entry) Validators() http.Header { return validators(e.Header) }

// overhead is about what an entry takes in memory beside header and body.
const overhead = 512

// weight is an upper estimate of the octets that the entry takes. Its codings together are at most
// about as long as a body that shrinks.
func (e *Entry) weight() int64 {
	n := int64(overhead + len(e.Body))
	if e.Header.Get("Content-Encoding") == "" {
		n += int64(len(e.Body))
	}
	for name, values := range e.Header {
		n += int64(len(name)) + 32
		for _, value := range values {
			n += int64(len(value)) + 16
		}
	}
	return n
}

// Form is a response in one content coding, as it is sent. It does not change.
type Form struct {
	Coding string
	Tag    string // the entity tag
	Body   []byte
	// Whole and Unchanged are the header as octets, of the response and of a 304 for it, without
	// what changes from one response to the next.
	Whole, Unchanged asset.Header
	Codable          bool // the response has forms in content codings
}

// codings are the content codings of which an entry keeps forms.
var codings = [...]string{"", "br", "gzip", "zstd"}

type forms struct {
	mu    sync.Mutex // held while a form is made
	ready [len(codings)]atomic.Pointer[Form]
}

// Ready returns the form in a content coding, "" for none; nil if Prepare has not made it yet.
func (e *Entry) Ready(coding string) *Form {
	if i := slices.Index(codings[:], coding); i >= 0 {
		return e.forms.ready[i].Load()
	}
	return nil
}

// Prepare returns the form in a content coding, which the first call makes.
func (e *Entry) Prepare(coding string, prepare func() *Form) *Form {
	i := slices.Index(codings[:], coding)
	if i < 0 {
		return prepare()
	}
	e.forms.mu.Lock()
	defer e.forms.mu.Unlock()
	if form := e.forms.ready[i].Load(); form != nil {
		return form
	}
	form := prepare()
	e.forms.ready[i].Store(form)
	return form
}

// matches reports whether the response was selected by request fields equal to those.
func (e *facts) matches(fields Fields) bool {
	for i, name := range e.vary {
		if fields(name) != e.values[i] {
			return false
		}
	}
	return true
}

// sameVariant reports whether other takes the entry's place.
func (e *facts) sameVariant(other *facts) bool {
	return slices.Equal(e.vary, other.vary) && slices.Equal(e.values, other.values)
}

// tagFields name the tags of a response, and what separates them.
var tagFields = map[string]string{"Cache-Tag": ",", "Surrogate-Key": " ", "X-Next-Cache-Tags": ","}

// tagsOf returns the tags of a response. Next.js does not name those of a page that it had in its
// own cache: then they are incomplete.
func tagsOf(h http.Header) (tags []string, complete bool) {
	for name, separator := range tagFields {
		for _, line := range h[name] {
			for tag := range strings.SplitSeq(line, separator) {
				if tag = strings.TrimSpace(tag); tag != "" {
					tags = append(tags, tag)
				}
			}
		}
	}
	fromNext := h.Get("X-Nextjs-Cache") != "" || h.Get("X-Opennext-Cache") != ""
	return tags, !fromNext || len(h["X-Next-Cache-Tags"]) > 0
}
