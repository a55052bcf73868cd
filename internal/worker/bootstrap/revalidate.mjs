// res.revalidate() of the pages router asks Next.js' router server, which OpenNext leaves out of a bundle, and fails
// with "missing internal router-server-methods". Put that one method where Next.js looks for it; the page it names may
// be another function's, so the request goes through the edge, which the endpoint of the AWS calls can reach.
import { current } from "./log.mjs";

const ROUTER_SERVER = Symbol.for("@next/router-server-methods");

export function serveRevalidate() {
  const { AWS_ENDPOINT_URL_SQS: endpoint, AWS_ACCESS_KEY_ID: key } = process.env;
  if (!endpoint) return;
  const fetch = globalThis.fetch; // the app may replace its own
  const revalidate = async ({ urlPath, opts }) => {
    const { headers } = current.getStore()?.request ?? {};
    const answer = await fetch(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "Anchor.Revalidate",
        authorization: `AWS4-HMAC-SHA256 Credential=${key}/anchor`,
      },
      body: JSON.stringify({
        host: headers?.["x-forwarded-host"] ?? headers?.host ?? "",
        url: urlPath,
        onlyGenerated: Boolean(opts?.unstable_onlyGenerated),
      }),
    });
    if (!answer.ok) throw new Error((await answer.json()).message);
  };
  // Next.js keys the methods by the project's folder, and sets its own (render404) only where it finds none.
  globalThis[ROUTER_SERVER] = new Proxy({}, { set: (all, project, own) => Reflect.set(all, project, { revalidate, ...own }) });
}
