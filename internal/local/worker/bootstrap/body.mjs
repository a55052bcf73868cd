// Request bodies. Lambda passes the whole body in the event; above MAX_EVENT_BODY this would hold
// it in memory several times. So a larger one is passed as an empty, marked Buffer: OpenNext's
// converter passes Buffers on untouched, and where OpenNext finally reads the body, the stream
// behind the mark is read instead.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { Readable } from "node:stream";
import { current } from "./log.mjs";

// Lambda's limit for a synchronous invocation payload.
const MAX_EVENT_BODY = 6 * 1024 * 1024;

const streams = new WeakMap(); // marked Buffer -> BodyStream

export const bodyOf = (value) => (Buffer.isBuffer(value) ? streams.get(value) : undefined);

// The rest of a request that is still arriving. It can be read once.
class BodyStream {
  #request;
  constructor(request) {
    this.#request = request;
  }
  get hasLength() {
    return this.#request.headers["content-length"] !== undefined;
  }
  web() {
    return Readable.toWeb(this.#request);
  }
  // Returns a _read for target that pulls from the request as fast as target reads.
  reader(target) {
    const request = this.#request;
    let started = false;
    return () => {
      if (started) return void request.resume();
      started = true;
      if (request.readableEnded || request.destroyed) return void target.push(null);
      request.on("data", (chunk) => target.push(chunk) || request.pause());
      request.on("end", () => target.push(null));
      request.on("close", () => request.readableEnded || target.destroy(new Error("the client closed the connection while sending its body")));
      request.resume(); // it may be paused, after the part that was to see whether the body fits an event
    };
  }
  // Forwards the body as the body of another HTTP request, and ends that request.
  forward(outgoing, end) {
    this.#request.pipe(outgoing, { end: false });
    this.#request.on("end", () => end.call(outgoing));
    this.#request.on("close", () => this.#request.readableEnded || outgoing.destroy());
  }
}

// Reads the body of request: {buffer} when it fits an event, else {marked}, the Buffer that stands
// for its stream.
export function readBody(request, canStream) {
  if (!request.hasBody || request.upgrade) return {};
  if (canStream && Number(request.headers["content-length"]) > MAX_EVENT_BODY) return { marked: mark(request) };
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    const onData = (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (!canStream || size <= MAX_EVENT_BODY) return;
      request.off("data", onData).off("end", onEnd).off("close", onClose).pause();
      request.unshift(Buffer.concat(chunks));
      resolve({ marked: mark(request) });
    };
    const onEnd = () => resolve({ buffer: Buffer.concat(chunks) });
    const onClose = () => reject(new Error("the client closed the connection while sending its body"));
    request.on("data", onData).on("end", onEnd).on("close", onClose);
  });
}

function mark(request) {
  const buffer = Buffer.alloc(0);
  streams.set(buffer, new BodyStream(request));
  return buffer;
}

// The places where OpenNext uses a body: its IncomingMessage sets _read on the instance, and its
// proxy for rewrites to another host writes the body to a client request (the fetch variant is
// handled with the rest of fetch).
export function streamMarkedBodies() {
  const read = http.IncomingMessage.prototype._read;
  Object.defineProperty(http.IncomingMessage.prototype, "_read", {
    configurable: true,
    get: () => read,
    set(value) {
      const body = bodyOf(this.body);
      // OpenNext used the length of the marked Buffer, or of a body that does not exist, for a
      // missing Content-Length.
      const sent = current.getStore()?.request.headers["content-length"];
      if (body ? !body.hasLength : sent === undefined && this.headers["content-length"] === "0") delete this.headers["content-length"];
      Object.defineProperty(this, "_read", { value: body ? body.reader(this) : value, writable: true, configurable: true });
    },
  });
  http.ClientRequest.prototype.write = function (chunk, ...rest) {
    const body = bodyOf(chunk);
    if (!body) return http.OutgoingMessage.prototype.write.call(this, chunk, ...rest);
    const end = this.end;
    this.end = () => this; // the caller ends what it believes it has written
    body.forward(this, end);
    return true;
  };
}

// Reports whether the bundle's converter passes a Buffer body on untouched (all of OpenNext 3 and 4
// do). Others would take the marked Buffer for an empty body, so for them every body is part of the
// event.
export function passesBuffers(modulePath, depth = 0) {
  const source = fs.readFileSync(modulePath, "utf8");
  if (/Buffer\.isBuffer\((\w+)\)[^]{0,120}?Buffer\.from\(\1,\s*\w+\s*\?\s*["']base64["']/.test(source)) return true;
  // In a monorepo the root module only re-exports the real one.
  const reexport = depth < 2 && source.length < 4096 && /from\s*["'](\.[^"']+)["']/.exec(source);
  return reexport ? passesBuffers(path.resolve(path.dirname(modulePath), reexport[1]), depth + 1) : false;
}
