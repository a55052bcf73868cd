// Rewrites the target of a redirect so that a browser can follow it.
import { isUtf8 } from "node:buffer";

const ASCII = /^[\x00-\x7f]*$/;

export function followable(location, { headers }) {
  return plain(encoded(location), headers);
}

// A URI holds ASCII only (RFC 3986), but redirect("/ö") arrives as it was written: Node.js would
// send "ö" as the octet F6, which no router decodes, and refuse "日" altogether. Octets that already
// are UTF-8, as in a forwarded answer, are kept.
function encoded(location) {
  if (ASCII.test(location)) return location;
  const octets = Buffer.from(location, "latin1");
  const passedOn = octets.toString("latin1") === location && isUtf8(octets);
  const text = passedOn ? octets.toString() : location.toWellFormed();
  return text.replace(/[^\x00-\x7f]+/g, encodeURIComponent);
}

// OpenNext passes every request to the app as one that came over TLS, so `new URL("/login",
// request.url)` is https. At a port that this very request reached in plain HTTP there is no TLS.
// Without a port it is 443, where there may be.
function plain(location, { host = "", "x-forwarded-proto": proto }) {
  if (proto !== "http" || !/:\d+$/.test(host)) return location;
  const own = `https://${host}`;
  const isOwn = location.startsWith(own) && /^($|[/?#])/.test(location.slice(own.length));
  return isOwn ? `http${location.slice("https".length)}` : location;
}
