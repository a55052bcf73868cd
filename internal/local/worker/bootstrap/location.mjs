// Where a redirect leads, as a browser can follow it.
import { isUtf8 } from "node:buffer";

const ASCII = /^[\x00-\x7f]*$/;

export function followable(location, { headers }) {
  return plain(encoded(location), headers);
}

// A URI holds ASCII only (RFC 3986), but redirect("/ö") arrives as it was written: Node.js would send "ö" as the octet
// F6, which no router decodes, and refuse "日" altogether. Octets that already are UTF-8, as of an answer passed on, stay so.
function encoded(location) {
  if (ASCII.test(location)) return location;
  const octets = Buffer.from(location, "latin1");
  const passedOn = octets.toString("latin1") === location && isUtf8(octets);
  const text = passedOn ? octets.toString() : location.toWellFormed();
  return text.replace(/[^\x00-\x7f]+/g, encodeURIComponent);
}

// OpenNext tells the app that every request came over TLS, so `new URL("/login", request.url)` is https. At a port that
// this very request reached in plain HTTP nobody speaks TLS. Without a port it is 443, where somebody may.
function plain(location, { host = "", "x-forwarded-proto": proto }) {
  if (proto !== "http" || !/:\d+$/.test(host)) return location;
  const own = `https://${host}`;
  const isOwn = location.startsWith(own) && /^($|[/?#])/.test(location.slice(own.length));
  return isOwn ? `http${location.slice("https".length)}` : location;
}
