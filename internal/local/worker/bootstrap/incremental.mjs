// OpenNext sends a page's answer before the page is stored (adapters/cache.js, set), and Next.js
// believes that it is stored. A request in between, which is common after a tag's revalidation,
// would render the page once more. A read of an entry therefore waits until this process has
// written that entry.

import { noteEntry } from "./trace.mjs";

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
      await writes.get(id(key, type));
      const entry = await cache.get(key, type);
      noteEntry(key, type, entry);
      return entry;
    },
    async set(key, value, type) {
      const written = Promise.resolve(cache.set(key, value, type));
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
