// On-demand revalidation updates the page's entry in the incremental cache. CloudFront keeps its
// copy until the s-maxage ends, which for a static page is a year. So this module records what
// OpenNext revalidates for a request, and invalidates it in CloudFront when the app has answered,
// before the function may freeze.
import { randomUUID } from "node:crypto";
import { ATTEMPTS, createInvalidation } from "./cloudfront.mjs";
import { current } from "./request.mjs";
import { invalidationPaths, pathOf, surface } from "./surface.mjs";

const owed = new Map(); // distribution -> what CloudFront did not accept: {stale, everything}

// Records that CloudFront's copies of a page are stale.
export function noteStale(page, hasData = false) {
  const request = current.getStore();
  if (request) request.stale.set(page, hasData || request.stale.get(page) === true);
}

function noteEverything() {
  const request = current.getStore();
  if (request) request.everything = true;
}

// OpenNext's port "cdnInvalidation". OpenNext calls it for the pages of revalidatePath, and for a
// pages router's on-demand render.
export const handler = {
  name: "anchor",
  async invalidatePaths(paths) {
    for (const { initialPath, rawPath = initialPath, resolvedRoutes = [] } of paths) {
      const hasData = !resolvedRoutes.some((route) => route.type === "app");
      for (const asked of [initialPath, rawPath]) noteStale(pathOf(asked), hasData); // before and after a rewrite
    }
  },
};

// Keys of entries in the incremental cache that are not pages: answers of fetch, and of "use
// cache".
const isData = (key) => /^\/?(?:[0-9a-f]{64}|__fetch\/.*|\[.*)$/s.test(key);
const ROUTE_KEY = /^\/?route-cache\/(?:PAGES|APP_PAGE|APP_ROUTE)\/[0-9a-f]{64}\/\$(?=\/)/;

// Records the pages of the tags that are written. OpenNext does not call its port for
// revalidateTag.
function noteTags(rows, tagCache) {
  const revalidated = rows.filter((row) => row?.revalidatedAt !== 1); // 1: a page stores its tags
  if (tagCache.mode === "nextMode") {
    if (revalidated.length > 0 && !tagCache.getPathsByTags) noteEverything();
    return;
  }
  for (const { path } of revalidated) if (!isData(path)) noteStale(pathOf(path.replace(ROUTE_KEY, "")));
}

function watch(tagCache) {
  const write = tagCache?.writeTags;
  if (typeof write !== "function") return;
  tagCache.writeTags = async function writeTags(rows) {
    const result = await write.call(this, rows);
    if (!own) noteTags(rows, tagCache);
    return result;
  };
}

let own; // an invalidation handler that the app brings

// Returns the handler that invalidates: the app's own if it has one.
export const invalidator = () => own ?? handler;

// Installs the port and the watch where OpenNext will set its own, when the app is loaded.
export function install(scope = globalThis) {
  let tagCache;
  Object.defineProperty(scope, "cdnInvalidationHandler", {
    configurable: true, enumerable: true,
    get: invalidator,
    set: (value) => (own = value?.name === "dummy" ? undefined : (value ?? undefined)),
  });
  Object.defineProperty(scope, "tagCache", {
    configurable: true, enumerable: true,
    get: () => tagCache,
    set: (value) => watch((tagCache = value)),
  });
}

const due = ({ stale, everything }) => stale.size > 0 || everything;

// Returns what has to be invalidated, including what CloudFront refused the last time, and clears
// the latter.
function collect({ distribution, stale, everything }) {
  const before = owed.get(distribution);
  owed.delete(distribution);
  return { stale: new Map([...(before?.stale ?? []), ...stale]), everything: everything || Boolean(before?.everything) };
}

// Invalidates in CloudFront what the request made stale. It never throws. What CloudFront is too
// busy for gets one more attempt after each of the function's next requests.
export async function settle(request, remaining) {
  const { distribution } = request;
  const all = collect(request);
  if (!distribution || !due(all)) return;
  const known = all.everything ? undefined : await surface();
  const paths = known ? invalidationPaths(all.stale, known) : ["/*"];
  try {
    await createInvalidation(distribution, paths, { reference: `anchor-${randomUUID()}`, attempts: due(request) ? ATTEMPTS : 1, remaining });
  } catch (error) {
    if (error.busy) owed.set(distribution, all);
    console.error(`CloudFront ${distribution} may serve stale pages (${paths.join(" ")}): ${error.message}`);
  }
}
