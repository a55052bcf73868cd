// OpenNext sends a page's answer before the page is stored (adapters/cache.js, set), and Next.js
// believes that it is stored. A request in between, which is common after a tag's revalidation,
// would render the page once more. A read of an entry therefore waits until this process has
// written that entry.
//
// A tag that is revalidated after a page was rendered and before it is stored concerns the page,
// although it is stored later. An entry is therefore written with the time at which its making
// began: when this request looked for it, or else when the request came.
import { AsyncLocalStorage } from "node:async_hooks";
import { current } from "./log.mjs";
import { noteEntry } from "./trace.mjs";

// In a write of an entry, the time at which its making began, in Unix milliseconds.
export const making = new AsyncLocalStorage();

// OpenNext sets globalThis.incrementalCache while its bundle is imported.
export function readOwnWrites() {
  let cache;
  Object.defineProperty(globalThis, "incrementalCache", {
    configurable: true,
    enumerable: true,
    get: () => cache,
    set: (value) => (cache = typeof value?.set === "function" ? inOrder(value) : value),
  });
}

function inOrder(cache) {
  const writes = new Map(); // type and key -> promise of the latest write
  const id = (key, type) => `${type} ${key}`;
  return Object.assign(Object.create(cache), {
    async get(key, type) {
      current.getStore()?.lookups.set(id(key, type), Date.now());
      await writes.get(id(key, type));
      const entry = await cache.get(key, type);
      noteEntry(key, type, entry);
      return entry;
    },
    async set(key, value, type) {
      const request = current.getStore();
      const began = request?.lookups.get(id(key, type)) ?? request?.began;
      const written = Promise.resolve(making.run(began, () => cache.set(key, value, type)));
      const settled = written.then(
        () => {},
        () => {}, // reported by the caller of set
      );
      writes.set(id(key, type), settled);
      settled.then(() => writes.get(id(key, type)) === settled && writes.delete(id(key, type)));
      return written;
    },
  });
}
