// S3 stores an object's age in whole seconds, but tags are revalidated at a millisecond. An entry
// that was stored after its tag's revalidation, within the same second, would count as older, and
// each request of that second would render the page again. So each entry contains the time at
// which it was stored.
const STORED = "anchorStoredAt"; // a field of the stored JSON; milliseconds since 1970

function dated(cache) {
  return Object.assign(Object.create(cache), {
    async get(...args) {
      const entry = await cache.get(...args);
      const { [STORED]: stored, ...value } = entry?.value ?? {};
      return Number.isFinite(stored) ? { ...entry, value, lastModified: stored } : entry;
    },
    // The time before the request to S3: a revalidation during the request is newer than the
    // entry.
    async set(key, value, ...rest) {
      return cache.set(key, { ...value, [STORED]: Date.now() }, ...rest);
    },
  });
}

// Intercepts OpenNext's setting of its port "incrementalCache" while its bundle is loaded.
export function install(scope = globalThis) {
  let cache;
  Object.defineProperty(scope, "incrementalCache", {
    configurable: true, enumerable: true,
    get: () => cache,
    set: (value) => (cache = typeof value?.set === "function" ? dated(value) : value),
  });
}
