// Names below localhost are this machine (RFC 6761, section 6.3). Browsers know it; the resolver of
// the C library often does not. An app sends requests to itself by the name its visitors use, for
// example Next.js after a server action that redirects. When that fails, the visitor's browser
// reloads the whole page.
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { current } from "./log.mjs";

const LOOPBACK = { address: "127.0.0.1", family: 4 };

export function resolveLocalhost() {
  const { lookup } = dns;
  dns.lookup = function (name, options, callback = options) {
    if (!/\.localhost\.?$/i.test(name) || typeof callback !== "function") return lookup.apply(this, arguments);
    const answer = options?.all ? [[LOOPBACK]] : [LOOPBACK.address, LOOPBACK.family];
    process.nextTick(callback, null, ...answer);
  };
  syncBuiltinESMExports();
}

// OpenNext passes every request to Next.js as one that came over TLS. A request of the app to
// itself, as after a server action that redirects, would then use TLS with a server on plain HTTP:
// a request that came over HTTP is answered by one over HTTP.
export function speakPlainLocalhost() {
  const fetch = globalThis.fetch;
  globalThis.fetch = function (input, init) {
    const request = current.getStore()?.request;
    if (!(request?.headers["x-forwarded-proto"] === "http" && isOwn(input, request.headers.host))) {
      return fetch.call(this, input, init);
    }
    const url = new URL(input instanceof Request ? input.url : input);
    url.protocol = "http:";
    return fetch.call(this, input instanceof Request ? new Request(url, input) : url, init);
  };
}

function isOwn(input, host) {
  const url = String(input instanceof Request ? input.url : input);
  return /\.localhost(:\d+)?$/i.test(host ?? "") && url.startsWith(`https://${host}/`);
}
