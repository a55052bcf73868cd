// OpenNext takes a request without a body for one with an empty body, and passes the app a
// Content-Length of 0 for each GET (http/request.js). An app sees the length that was sent, or
// none.
import { IncomingMessage } from "node:http";
import { current } from "./request.mjs";

// The constructor of OpenNext's request, an IncomingMessage, sets its headers and then a _read of
// its own.
export function install(prototype = IncomingMessage.prototype) {
  const read = prototype._read;
  Object.defineProperty(prototype, "_read", {
    configurable: true,
    get: () => read,
    set(value) {
      if (current.getStore()?.length === undefined && this.headers["content-length"] === "0") delete this.headers["content-length"];
      Object.defineProperty(this, "_read", { value, writable: true, configurable: true });
    },
  });
}
