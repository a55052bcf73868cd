package worker

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// slowCache is a cache as OpenNext sets it up, whose writes end on request.
const slowCache = `
class Cache {
  name = "slow";
  entries = new Map();
  ends = [];
  async get(key, type) { return this.entries.get(type + key) ?? "old"; }
  set(key, value, type) {
    return new Promise((resolve, reject) => this.ends.push(() => (value === "broken" ? reject(new Error("full")) : (this.entries.set(type + key, value), resolve()))));
  }
  async delete() { return "deleted"; }
}
const slow = new Cache();
globalThis.incrementalCache = slow;
const cache = () => globalThis.incrementalCache;
const tick = () => new Promise(setImmediate);
const cases = {
  async "/waits"() {
    const order = [];
    const write = cache().set("page", "new", "cache").then(() => order.push("written"));
    const read = cache().get("page", "cache").then((value) => order.push(value));
    await tick();
    order.push(await cache().get("page", "fetch"), await cache().get("other", "cache"));
    slow.ends.shift()();
    await Promise.all([write, read]);
    return order;
  },
  async "/fails"() {
    const write = cache().set("page", "broken", "cache").catch((err) => err.message);
    const read = cache().get("page", "cache");
    slow.ends.shift()();
    return [await write, await read];
  },
  async "/latest"() {
    const first = cache().set("page", "first", "cache");
    const second = cache().set("page", "second", "cache");
    const read = cache().get("page", "cache");
    slow.ends.shift()();
    await first;
    await tick();
    slow.ends.shift()();
    await second;
    return [await read, await cache().get("page", "cache")];
  },
  async "/rest"() { return [cache().name, await cache().delete("page")]; },
};
export async function handler({ rawPath }) {
  return { statusCode: 200, headers: {}, cookies: [], body: JSON.stringify(await cases[rawPath]()), isBase64Encoded: false };
}`

func TestIncremental_ReadWaitsForWrite(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/waits":  `["old","old","written","new"]`,
		"/fails":  `["full","old"]`,
		"/latest": `["second","second"]`,
		"/rest":   `["slow","deleted"]`,
	} {
		t.Run(path, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "index.mjs"), []byte(slowCache), 0o644); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, Spec{Dir: dir})
			if got := s.do(t, http.MethodGet, path, nil).body; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// tracedCache is a cache as OpenNext sets it up. OpenNext removes the tags of an entry that it gets.
const tracedCache = `
const entries = {
  page: { value: { type: "app", meta: { headers: { "x-next-cache-tags": "_N_T_/a,b c, d" } } } },
  untagged: { value: { type: "app", meta: { headers: {} } } },
  old: { value: { type: "page", html: "" } },
  data: { value: { kind: "FETCH", data: {}, tags: ["e,f"] } },
  loose: { value: { kind: "FETCH", data: {} } },
  huge: { value: { type: "app", meta: { headers: { "x-next-cache-tags": "t".repeat(9000) } } } },
  empty: {},
};
globalThis.incrementalCache = { name: "traced", async get(key) { return structuredClone(entries[key]); }, async set() {} };
export async function handler({ rawPath, headers }) {
  for (const key of rawPath.slice(1).split(",").filter(Boolean)) {
    const entry = await globalThis.incrementalCache.get(key, key === "data" || key === "loose" ? "fetch" : "cache");
    delete entry?.value?.meta?.headers["x-next-cache-tags"];
    await new Promise(setImmediate);
  }
  return { statusCode: 200, headers: { "X-Anchor-Tags": "forged" }, cookies: [], body: "", isBase64Encoded: false };
}`

// The edge learns from which entries of the incremental cache an answer was made, also when requests
// run at the same time, and never from the app itself.
func TestIncremental_TracesWhatWasRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.mjs"), []byte(tracedCache), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, Spec{Dir: dir})
	var wg sync.WaitGroup
	for path, want := range map[string]string{
		"/":               "",
		"/page":           "t_N_T_%2Fa,tb%20c,td,kpage",
		"/page,data":      "t_N_T_%2Fa,tb%20c,td,te%2Cf,kpage",
		"/old":            "kold",
		"/untagged":       "kuntagged,?",
		"/page,untagged":  "t_N_T_%2Fa,tb%20c,td,kpage,kuntagged,?",
		"/loose":          "?",
		"/huge":           "khuge,?",
		"/empty,gone":     "kempty,kgone",
		"/empty,page,old": "t_N_T_%2Fa,tb%20c,td,kempty,kpage,kold",
	} {
		wg.Go(func() {
			got := s.do(t, http.MethodGet, path, nil).Header
			if lines := got["X-Anchor-Tags"]; len(lines) != 1 || lines[0] != want {
				t.Errorf("%s: %q, want %q", path, lines, want)
			}
		})
	}
	wg.Wait()
}

// datedCache writes entries to the bucket as OpenNext's "-lite" overrides do, with fetch.
const datedCache = `
globalThis.incrementalCache = {
  name: "dated",
  async get() { return null; },
  async set(key) { await fetch("https://anchor-cache.s3.anchor-local-1.amazonaws.com/" + key, { method: "PUT", body: "entry" }); },
};
const cache = globalThis.incrementalCache;
const next = (time) => new Promise((resolve) => { const wait = () => (Date.now() > time ? resolve(Date.now()) : setTimeout(wait, 1)); wait(); });
export async function handler({ rawPath }) {
  const came = Date.now();
  const began = await next(came);
  if (rawPath === "/looked") await cache.get("page", "cache");
  if (rawPath === "/other") await cache.get("page", "fetch");
  const looked = Date.now();
  await next(looked);
  await cache.set("page", {}, "cache");
  return { statusCode: 200, headers: {}, cookies: [], body: JSON.stringify({ came, began, looked }), isBase64Encoded: false };
}`

// A tag revalidated while a page is rendered, or before it is stored, concerns the page: what is
// stored carries the time at which its making began.
func TestIncremental_DatesWhatItWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.mjs"), []byte(datedCache), 0o644); err != nil {
		t.Fatal(err)
	}
	made := make(chan string, 1)
	wire := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { made <- r.Header.Get("X-Anchor-Made") }))
	t.Cleanup(wire.Close)
	s := newSite(t, Spec{Dir: dir, Env: map[string]string{
		"ANCHOR_WIRE": `{"endpoint":"` + wire.URL + `","region":"anchor-local-1","buckets":["anchor-cache"],"key":"OURS","secret":"hidden"}`,
	}})
	for path, looked := range map[string]bool{"/looked": true, "/other": false, "/": false} {
		times := decode[struct{ Came, Began, Looked int64 }](t, s.do(t, http.MethodGet, path, nil).body)
		earliest, latest := int64(0), times.Came
		if looked {
			earliest, latest = times.Began, times.Looked
		}
		if got, err := strconv.ParseInt(<-made, 10, 64); err != nil || got < earliest || got > latest {
			t.Errorf("%s: made at %d, want %d to %d (%v)", path, got, earliest, latest, err)
		}
	}
}
