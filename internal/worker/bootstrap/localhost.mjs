// Names below localhost are this machine (RFC 6761, section 6.3): browsers know it, the resolver of the C library often
// does not. An app asks for itself by the name its visitors use, Next.js among others after a server action that
// redirects; when that fails, the visitor's browser loads the page as a whole.
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";

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
