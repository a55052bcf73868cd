package edge

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// HeaderTags lists, in the answer of a function, what it read of the app's own cache: of each entry
// the tags (t and the tag) and, if it is a page, the key (k and the key), percent-encoded and
// separated by commas. A "?" among them says that not all tags are known; the keys are complete.
// Without the field neither is known. The worker sets it, never the app.
const HeaderTags = "X-Anchor-Tags"

// keyTag returns the tag of all answers that were made from the entry of the app's cache with a key.
func keyTag(key string) string { return cache.InternalTag + strings.Trim(path.Clean(key), "/") }

// trace says what of an app's cache an answer was made from.
type trace struct {
	tags     []string
	complete bool // there is nothing else
	keyed    bool // there are no keys but those in tags
	rendered bool // the app has rendered the page for this answer, and names the tags with the next one
}

// takeTrace removes what a header says of the app's cache, and returns it. An answer of a bare
// function depends on nothing in it. Only a page that comes from the cache, and was read there
// for this request, was made of what was read: one that is rendered now may have other tags than the
// entry that it replaces.
func takeTrace(h http.Header, bare bool) trace {
	lines, named := h[HeaderTags]
	delete(h, HeaderTags)
	if bare {
		return trace{complete: true, keyed: true}
	}
	t := trace{complete: named, keyed: named}
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			t.add(item)
		}
	}
	state := strings.ToUpper(h.Get("X-Nextjs-Cache"))
	if state == "" {
		state = strings.ToUpper(h.Get("X-Opennext-Cache"))
	}
	t.complete = t.complete && (state == "HIT" || state == "STALE") && len(t.keys()) > 0
	t.rendered = state == "MISS" || state == "REVALIDATED"
	return t
}

func (t *trace) add(item string) {
	text, err := url.PathUnescape(item)
	switch {
	case text == "" && err == nil:
	case text == "?" && item == "?":
		t.complete = false
	case err == nil && text[0] == 'k':
		t.tags = append(t.tags, keyTag(text[1:]))
	case err == nil && text[0] == 't' && isPlainTag(text[1:]):
		t.tags = append(t.tags, text[1:])
	case err == nil && text[0] == 't':
		t.complete = false
	default:
		t.complete, t.keyed = false, false
	}
}

// isPlainTag reports whether OpenNext looks a tag up as it is: it joins tags to a path, which
// removes doubled slashes and dots.
func isPlainTag(tag string) bool {
	return tag != "" && tag[0] != '/' && path.Clean(tag) == strings.TrimSuffix(tag, "/")
}

// keys returns the tags of the entries of the app's cache that an answer names.
func (t trace) keys() []string {
	var keys []string
	for _, tag := range t.tags {
		if strings.HasPrefix(tag, cache.InternalTag) {
			keys = append(keys, tag)
		}
	}
	return keys
}

// InvalidateEntries makes the answers invalid that were made from entries of the app's cache with one
// of the tags or keys, and those of which it is not known.
func (s *Site) InvalidateEntries(tags, keys []string) {
	all := append([]string(nil), tags...)
	for _, key := range keys {
		all = append(all, keyTag(key))
	}
	s.Cache.InvalidateTags(all...)
}

// InvalidatePage makes the answers invalid that were made from the page with a key in the app's cache, at
// whatever address, and those of which it is not known from which pages they were made.
func (s *Site) InvalidatePage(key string) { s.Cache.InvalidateKeys(keyTag(key)) }
