package worker

import (
	"net/http"
	"os"
	"path/filepath"
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
