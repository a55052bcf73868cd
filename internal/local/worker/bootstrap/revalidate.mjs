// res.revalidate() of the pages router calls Next.js' router server, which OpenNext leaves out of a
// bundle, and fails with "missing internal router-server-methods". Put that one method where
// Next.js looks for it. The page may belong to another function, so the request goes through the
// edge, which the endpoint of the AWS calls can reach.
import { callAnchor, hasWire } from "./aws.mjs";
import { current } from "./log.mjs";

const ROUTER_SERVER = Symbol.for("@next/router-server-methods");

export function serveRevalidate() {
  if (!hasWire) return;
  const fetch = globalThis.fetch; // the app may replace its own
  const revalidate = async ({ urlPath, opts }) => {
    const { headers } = current.getStore()?.request ?? {};
    const answer = await callAnchor(fetch, "Revalidate", {
      host: headers?.["x-forwarded-host"] ?? headers?.host ?? "",
      url: urlPath,
      onlyGenerated: Boolean(opts?.unstable_onlyGenerated),
    });
    if (!answer.ok) throw new Error((await answer.json()).message);
  };
  // Next.js keys the methods by the project's folder, and sets its own (render404) only where it
  // finds none.
  globalThis[ROUTER_SERVER] = new Proxy({}, { set: (all, project, own) => Reflect.set(all, project, { revalidate, ...own }) });
}
