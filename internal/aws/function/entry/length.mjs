// OpenNext treats a request without a body as one with an empty body, and sets a Content-Length
// of 0 for each GET (http/request.js). With this, the app sees the length that was sent, or none.
import { IncomingMessage } from "node:http";
import { current } from "./request.mjs";

// The constructor of OpenNext's request, an IncomingMessage, sets its headers and then its own
// _read.
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
