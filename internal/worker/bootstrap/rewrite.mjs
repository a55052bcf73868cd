// OpenNext's default way to a rewrite's external host (proxyExternalRequest "node") calls https.request whatever the
// target's protocol is, and Node.js refuses http: there. A rewrite to a plain service beside the app is common on one
// machine: let https.request take it.
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";

export function allowPlainRewrites() {
  const { request } = https;
  https.request = function (target, ...rest) {
    const { protocol } = typeof target === "string" ? new URL(target) : target;
    return (protocol === "http:" ? http.request : request).call(this, target, ...rest);
  };
  syncBuiltinESMExports();
}
