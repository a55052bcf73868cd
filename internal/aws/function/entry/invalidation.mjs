// On-demand revalidation reaches the page's entry in the incremental cache; CloudFront keeps what it has until its
// s-maxage ends, which for a static page is a year. So what OpenNext revalidates for a request is noted here, and
// CloudFront is told when the app has answered, before the function may freeze.
import { randomUUID } from "node:crypto";
import { ATTEMPTS, createInvalidation } from "./cloudfront.mjs";
import { current } from "./request.mjs";
import { invalidationPaths, pathOf, surface } from "./surface.mjs";

const owed = new Map(); // distribution -> what CloudFront did not take: {stale, everything}

// Notes that CloudFront's copies of a page are stale.
export function noteStale(page, hasData = false) {
  const request = current.getStore();
  if (request) request.stale.set(page, hasData || request.stale.get(page) === true);
}

function noteEverything() {
  const request = current.getStore();
  if (request) request.everything = true;
}

// OpenNext's port "cdnInvalidation". It has revalidatePath's pages, and that of a pages router's render on demand.
export const handler = {
  name: "anchor",
  async invalidatePaths(paths) {
    for (const { initialPath, rawPath = initialPath, resolvedRoutes = [] } of paths) {
      const hasData = !resolvedRoutes.some((route) => route.type === "app");
      for (const asked of [initialPath, rawPath]) noteStale(pathOf(asked), hasData); // before and after a rewrite
    }
  },
};

// Keys of what is no page in the incremental cache: answers of fetch, and of "use cache".
const isData = (key) => /^\/?(?:[0-9a-f]{64}|__fetch\/.*|\[.*)$/s.test(key);
const ROUTE_KEY = /^\/?route-cache\/(?:PAGES|APP_PAGE|APP_ROUTE)\/[0-9a-f]{64}\/\$(?=\/)/;

// Notes the pages of the tags that are written. OpenNext tells its port nothing of revalidateTag's.
function noteTags(rows, tagCache) {
  const revalidated = rows.filter((row) => row?.revalidatedAt !== 1); // 1: a page tells its tags
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

let own; // an invalidation that the app brings itself

// Gives what invalidates: the app's own if it has one.
export const invalidator = () => own ?? handler;

// Puts the port and the watch where OpenNext will set its own, when the app is loaded.
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

// Gives what is due together with what CloudFront did not take the last time, which is forgotten.
function collect({ distribution, stale, everything }) {
  const before = owed.get(distribution);
  owed.delete(distribution);
  return { stale: new Map([...(before?.stale ?? []), ...stale]), everything: everything || Boolean(before?.everything) };
}

// Tells CloudFront what the request made stale. It never throws. For what CloudFront is too busy for there is one more
// attempt after each of the function's next requests.
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
