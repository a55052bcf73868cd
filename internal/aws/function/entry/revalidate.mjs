// res.revalidate() of the pages router calls Next.js' router server, which OpenNext omits from a
// bundle, and fails with "missing internal router-server-methods". This module puts that one
// method where Next.js looks for it. The page may belong to another function, so the request goes
// through CloudFront, to the same deployment.
import { current } from "./request.mjs";
import { invalidator } from "./invalidation.mjs";

const ROUTER_SERVER = Symbol.for("@next/router-server-methods");
const fetch = globalThis.fetch; // Next.js replaces it with one that caches

// Reports success as Next.js does (api-resolver.ts): notFound answers 404 and counts as
// revalidated.
function succeeded(answer, opts) {
  return answer.headers.get("x-nextjs-cache")?.toUpperCase() === "REVALIDATED" || answer.status === 200 ||
    (answer.status === 404 && Boolean(opts?.unstable_onlyGenerated));
}

// Returns the target of a redirect that only adds a slash to the path of url, or removes it.
// Next.js' router, which its own revalidate calls, runs after those redirects.
function otherSlash(answer, url) {
  const location = answer.status === 308 ? answer.headers.get("location") : null;
  if (!location || !URL.canParse(location, url)) return undefined;
  const to = new URL(location, url);
  const bare = ({ pathname }) => pathname.replace(/\/$/, "");
  return to.host === url.host && to.pathname !== url.pathname && bare(to) === bare(url) ? to : undefined;
}

export async function revalidate({ urlPath, revalidateHeaders, opts }) {
  const { host, cookie } = current.getStore() ?? {};
  if (!host) throw new Error(`cannot revalidate ${urlPath}: the request did not come by CloudFront, so the site's host is not known`);
  let url = new URL(`https://${host}${urlPath}`);
  const ask = () => fetch(url, {
    method: "HEAD", redirect: "manual", headers: { ...revalidateHeaders, ...(cookie && { cookie }), "x-isr": "1" },
  });
  let answer = await ask().catch(ask); // a connection that was kept open while the function was frozen may be dead
  const slashed = otherSlash(answer, url);
  if (slashed) {
    url = slashed;
    answer = await ask().catch(ask);
  }
  if (!succeeded(answer, opts)) throw new Error(`${urlPath} answered ${answer.status}`);
  const { pathname } = url;
  await invalidator().invalidatePaths([{ initialPath: pathname, rawPath: pathname, resolvedRoutes: [{ route: pathname, type: "page" }] }]);
}

export function install(scope = globalThis) {
  // Next.js keys the methods by the project's folder, and sets its own (render404) only when
  // there are none.
  scope[ROUTER_SERVER] = new Proxy({}, { set: (all, project, own) => Reflect.set(all, project, { revalidate, ...own }) });
}
