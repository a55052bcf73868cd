// The paths under which CloudFront may have a page. Next.js names pages as it caches them:
// without the base path, and by the target of a rewrite, not by the path that the visitor
// requested.
import { readFile } from "node:fs/promises";
import path from "node:path";

// A server function's working folder contains its ".next".
const read = (name) => readFile(path.join(process.cwd(), ".next", name), "utf8");
const json = async (name) => JSON.parse(await read(name));

// Returns the common prefix of everything that a pattern of Next.js (path-to-regexp) matches.
// "/blog/:path*" matches "/blog" too, so the prefix ends before a slash.
const fixed = (source) => source.replace(/.?[?*+].*$/, "").replace(/[:({\\].*$/, "").replace(/\/$/, "");

async function load() {
  const [routes, build, edge, functions] = await Promise.all([
    json("routes-manifest.json"), read("BUILD_ID"), json("server/middleware-manifest.json"),
    json("server/functions-config-manifest.json").catch(() => ({})), // lists middleware on Node.js
  ]);
  const base = routes.basePath ?? "";
  const rewrites = Array.isArray(routes.rewrites) ? routes.rewrites : Object.values(routes.rewrites ?? {}).flat();
  const middleware = [...Object.values(edge.middleware ?? {}), functions.functions?.["/_middleware"] ?? {}];
  return {
    base,
    data: `${base}/_next/data/${build.trim()}`,
    localized: Boolean(routes.i18n),
    // A path that begins with "from" may show a page that begins with "to".
    aliases: [
      ...rewrites.filter((r) => r.destination.startsWith("/")).map((r) => ({ from: fixed(r.source), to: fixed(r.destination) })),
      ...middleware.flatMap((m) => m.matchers ?? []).map((m) => ({ from: base + fixed(m.originalSource ?? ""), to: base })),
    ],
  };
}

let loaded;

// Returns what the build says about its paths, or undefined when nothing is understood.
export const surface = () => (loaded ??= load().catch(() => undefined));

// Returns the key of the incremental cache as a path: "/index" is the page "/".
export function pathOf(key) {
  const page = `/${key}`.replace(/^\/+/, "/");
  if (page === "/index") return "/";
  return page.startsWith("/index/") ? page.slice("/index".length) : page;
}

// Names by URL, as in OpenNext and apps, contain the base path, and a final slash if the app
// wants one.
function bare(page, base) {
  const below = base && (page === base || page.startsWith(`${base}/`)) ? page.slice(base.length) : page;
  return below.replace(/\/+$/, "") || "/";
}

const MOST = 10; // CloudFront accepts 15 paths with a "*" at a time ("Quotas on invalidations")
const ALL = ["/*"];

function encoded(page) {
  try {
    return encodeURI(decodeURI(page));
  } catch {
    return encodeURI(page);
  }
}

// Returns what to invalidate for pages (path -> whether it has a data file), in as few paths as
// possible, because each costs money. "/about*" is "/about" with every query, and everything
// below it.
export function invalidationPaths(pages, { base, data, localized, aliases }) {
  if (localized) return ALL; // the default language has no prefix, or its own domain
  const paths = new Set();
  for (const [named, hasData] of pages) {
    const page = bare(named, base);
    const own = page === "/" ? base : base + encoded(page);
    if (page !== "/") paths.add(`${own}*`);
    else for (const end of base ? ["", "?*", "/", "/?*"] : ["/", "/?*"]) paths.add(own + end);
    if (hasData) paths.add(`${data}${page === "/" ? "/index" : encoded(page)}.json*`);
    for (const { from, to } of aliases) if ((base + page).startsWith(to)) paths.add(`${from || "/"}*`);
  }
  const wild = [...paths].filter((path) => path.endsWith("*")).map((path) => path.slice(0, -1));
  const few = [...paths].filter((path) => !wild.some((w) => path !== `${w}*` && path.startsWith(w)));
  return few.includes("/*") || few.length > MOST ? ALL : few;
}
