// OpenNext's default proxy to a rewrite's external host (proxyExternalRequest "node") is
// https.request, with four faults. It calls it whatever the target's protocol is, and Node.js
// refuses http: there, though a rewrite to a plain service beside the app is common on one machine:
// let https.request accept it. It pipes a compressed answer into a decompressor, which never learns
// that the answer broke off: the visitor would wait for ever. And it knows two content codings and
// drops the name of any other, so the host is asked for those two. It also drops the host's trailers.
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { current, log } from "./log.mjs";

export function repairRewrites() {
  const { request } = https;
  https.request = function (target, ...rest) {
    const { protocol } = typeof target === "string" ? new URL(target) : target;
    const requestOf = protocol === "http:" ? http.request : request;
    if (!isRewrite(target, rest)) return requestOf.call(this, target, ...rest);
    const invocation = current.getStore();
    const upgrade = invocation?.request.upgrade;
    const outgoing = requestOf.call(this, target, upgrade ? switching(rest[0]) : acceptingDecodable(rest[0]), forwardingEnd(rest[1], invocation));
    if (upgrade) outgoing.on("upgrade", (...accepted) => invocation.tunnel(...accepted));
    return outgoing;
  };
  syncBuiltinESMExports();
}

// The call as OpenNext writes it: request(url, {headers, method, rejectUnauthorized: false},
// callback).
const isRewrite = (target, [options, callback]) =>
  typeof target === "string" && typeof callback === "function" && options?.rejectUnauthorized === false;

// A WebSocket handshake (RFC 6455, section 4.1). The connection is not one of an agent's pool.
const switching = (options) => ({ ...options, agent: false, headers: { ...options.headers, connection: "Upgrade", upgrade: "websocket" } });

const DECODABLE = /^(br|gzip)\s*(;|$)/i;

function acceptingDecodable(options) {
  const accepted = options.headers?.["accept-encoding"];
  if (!accepted) return options;
  const decodable = accepted.split(",").map((coding) => coding.trim()).filter((coding) => DECODABLE.test(coding));
  return { ...options, headers: { ...options.headers, "accept-encoding": decodable.join(", ") || "identity" } };
}

// Returns callback for a response that, when it breaks off, also breaks off the stream it is piped
// into, and whose trailers become those of the answer.
function forwardingEnd(callback, invocation) {
  return function (response) {
    const { pipe } = response;
    response.on("end", () => forwardTrailers(response, invocation)); // before what is piped ends
    response.pipe = function (target, ...rest) {
      response.on("error", (err) => target.destroy(err));
      return pipe.call(this, target, ...rest);
    };
    return callback.call(this, response);
  };
}

function forwardTrailers({ rawTrailers }, invocation) {
  try {
    invocation?.reply.setTrailers(pairs(rawTrailers));
  } catch (err) {
    log("error", `the trailers of a rewrite's host are left out: ${err.message}`, invocation.id, invocation.path);
  }
}

const pairs = (raw) => raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]]] : []));
