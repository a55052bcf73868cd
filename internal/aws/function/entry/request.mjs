// What our modules in a bundle know about the request that a function is answering. A Lambda
// answers one request at a time, but what an app leaves running may end within the next one, so
// each request has its own record.
import { AsyncLocalStorage } from "node:async_hooks";

export const DISTRIBUTION = "x-anchor-distribution"; // set by the viewer-request function
const HOSTS = "x-anchor-hosts"; // set by it too: function -> host of the deployment's own URL, as JSON
const ROUTED = "x-anchor-routed"; // set by middleware.mjs in another function
const COOKIE = "__anchor_deployment"; // by which the viewer-request function chooses a deployment

export const current = new AsyncLocalStorage();

// Removes a header from the event, in any spelling, and returns its value, or "".
export function take(event, header) {
  let sent = "";
  for (const name of Object.keys(event?.headers ?? {})) {
    if (name.toLowerCase() !== header) continue;
    sent = String(event.headers[name]);
    delete event.headers[name];
  }
  return sent;
}

// Returns what is known about a request that passed the guard. One without a distribution came by
// the function's own URL.
export function received(event) {
  const distribution = take(event, DISTRIBUTION);
  const hosts = JSON.parse(take(event, HOSTS) || "{}");
  const routed = take(event, ROUTED) !== "";
  const { "x-forwarded-host": host = "", "x-anchor-deployment": deployment, "content-length": length } = event?.headers ?? {};
  return {
    distribution: /^[A-Z0-9]+$/.test(distribution) ? distribution : "",
    host,
    hosts,
    length, // of the body, as it was sent; undefined for a request without one
    routed, // the middleware has run
    cookie: deployment ? `${COOKIE}=${deployment}` : "",
    stale: new Map(), // path of a page -> whether it has a data file (pages router)
    everything: false,
  };
}
