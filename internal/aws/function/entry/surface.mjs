// Under which paths CloudFront may have a page. Next.js names pages as it caches them: without the base path, and by
// where a rewrite leads to, not by what the visitor asked for.
import { readFile } from "node:fs/promises";
import path from "node:path";

// The folder a server function changes into holds its ".next".
const read = (name) => readFile(path.join(process.cwd(), ".next", name), "utf8");
const json = async (name) => JSON.parse(await read(name));

// Gives the part of a pattern of Next.js (path-to-regexp) that all it matches begins with. "/blog/:path*" matches
// "/blog" too, so it ends before a slash.
const fixed = (source) => source.replace(/.?[?*+].*$/, "").replace(/[:({\\].*$/, "").replace(/\/$/, "");

async function load() {
  const [routes, build, edge, functions] = await Promise.all([
    json("routes-manifest.json"), read("BUILD_ID"), json("server/middleware-manifest.json"),
    json("server/functions-config-manifest.json").catch(() => ({})), // what has middleware on Node.js
  ]);
  const base = routes.basePath ?? "";
  const rewrites = Array.isArray(routes.rewrites) ? routes.rewrites : Object.values(routes.rewrites ?? {}).flat();
  const middleware = [...Object.values(edge.middleware ?? {}), functions.functions?.["/_middleware"] ?? {}];
  return {
    base,
    data: `${base}/_next/data/${build.trim()}`,
    localized: Boolean(routes.i18n),
    // What begins with "from" may show a page that begins with "to".
    aliases: [
      ...rewrites.filter((r) => r.destination.startsWith("/")).map((r) => ({ from: fixed(r.source), to: fixed(r.destination) })),
      ...middleware.flatMap((m) => m.matchers ?? []).map((m) => ({ from: base + fixed(m.originalSource ?? ""), to: base })),
    ],
  };
}

let loaded;

// Gives what the build says of its paths, or undefined when it says nothing that is understood.
export const surface = () => (loaded ??= load().catch(() => undefined));

// Gives the key of the incremental cache as a path: "/index" is the page "/".
export function pathOf(key) {
  const page = `/${key}`.replace(/^\/+/, "/");
  if (page === "/index") return "/";
  return page.startsWith("/index/") ? page.slice("/index".length) : page;
}

// What OpenNext and apps name by URL has the base path, and a slash at its end if the app wants one.
function bare(page, base) {
  const below = base && (page === base || page.startsWith(`${base}/`)) ? page.slice(base.length) : page;
  return below.replace(/\/+$/, "") || "/";
}

const MOST = 10; // CloudFront takes 15 paths with a "*" at a time ("Quotas on invalidations")
const ALL = ["/*"];

function encoded(page) {
  try {
    return encodeURI(decodeURI(page));
  } catch {
    return encodeURI(page);
  }
}

// Gives what to invalidate for pages (path -> whether it has a data file), in as few paths as may be: each costs
// money. "/about*" is "/about" with every query, and what lies below.
export function invalidationPaths(pages, { base, data, localized, aliases }) {
  if (localized) return ALL; // the default language has no prefix, or a domain of its own
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
