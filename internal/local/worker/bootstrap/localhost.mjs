// Names below localhost are this machine (RFC 6761, section 6.3): browsers know it, the resolver of the C library often
// does not. An app asks for itself by the name its visitors use, Next.js among others after a server action that
// redirects; when that fails, the visitor's browser loads the page as a whole.
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

// OpenNext tells Next.js that every request came over TLS. Asking for itself, as after a server action that redirects, an
// app on plain HTTP would then speak TLS to a server that does not: what came over HTTP goes back over HTTP.
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
