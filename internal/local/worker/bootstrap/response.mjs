// The two ways in which a Lambda handler answers.
import { Writable } from "node:stream";
import { bypass, codingOf } from "./compression.mjs";
import { followable } from "./location.mjs";
import { log } from "./log.mjs";
import { TAGS_FIELD, tracedTags } from "./trace.mjs";

const INTEGRATION = "application/vnd.awslambda.http-integration-response";
const DELIMITER = Buffer.alloc(8);
const MAX_PRELUDE = 1024 * 1024;
const MAX_HELD = 64 * 1024;

// Returns the head of an answer (see Reply) for a result {statusCode, headers, cookies}.
function headOf(result, request) {
  const status = Number(result.statusCode ?? 200);
  const cookies = [...(result.cookies ?? [])];
  const fields = new Map();
  let length;
  for (const [key, value] of Object.entries(result.headers ?? {})) {
    const name = key.toLowerCase();
    if (value === undefined || value === null || name === TAGS_FIELD) continue;
    if (name === "set-cookie") cookies.push(...[].concat(value));
    else if (name === "content-length") length = declared(value);
    else if (name === "location") fields.set(name, followable(String(value), request));
    else if (name === "content-encoding" && value === "identity") continue; // not a coding of content (RFC 9110, section 8.4.1)
    else fields.set(name, value);
  }
  const tags = tracedTags(request);
  if (tags !== undefined) fields.set(TAGS_FIELD, tags);
  if (cookies.length) fields.set("set-cookie", cookies);
  // OpenNext's wrappers compress after the app has set the length of what it wrote.
  if (fields.has("content-encoding") || status === 204) length = undefined;
  return { status, fields: [...fields].flatMap(([name, value]) => [].concat(value).map((one) => [name, String(one)])), length };
}

// RFC 9110, section 8.6: digits; equal lengths in a list count as one. For anything else only the
// body shows the length.
function declared(value) {
  const [length, ...others] = new Set([].concat(value).flatMap((one) => String(one).split(",")).map((one) => one.trim()));
  if (others.length === 0 && /^\d{1,15}$/.test(length)) return Number(length);
  log("error", `the app set the Content-Length ${JSON.stringify(value)}, which is not a length: it is left out`);
}

// Sends a buffered result (payload format 2.0; without a statusCode the result itself is the JSON
// body).
export function sendResult(reply, result, request) {
  if (result === null || typeof result !== "object" || result.statusCode === undefined) {
    result = { statusCode: 200, headers: { "content-type": "application/json" }, body: typeof result === "string" ? result : JSON.stringify(result ?? null) };
  }
  const body = Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8");
  const head = headOf(result, request);
  if (request.method !== "HEAD" && head.status !== 304) head.length = body.length;
  reply.setHead(head);
  reply.end(body);
}

// The responseStream of a streaming handler: a JSON prelude, eight NUL bytes, the body. Chunk
// boundaries may fall anywhere. A handler that never writes the delimiter answers with a plain body
// (a warmer does).
export class ResponseStream extends Writable {
  #reply;
  #request;
  #onHead;
  #ownCoding;
  #compressor; // of the wrapper
  #prelude = [];
  #contentType;
  #held = []; // chunks of the body that are held back
  #heldLength = 0;
  #scheduled = false; // whether they are sent at the end of this turn of the event loop
  begun = false; // something was written; event "begin"

  // onHead is called before the head of the answer is read. ownCoding returns the Content-Encoding
  // that the app set.
  constructor(reply, request, onHead, ownCoding = () => undefined) {
    super();
    this.#reply = reply;
    this.#request = request;
    this.#onHead = onHead;
    this.#ownCoding = ownCoding;
    this.on("pipe", (source) => codingOf(source) && (this.#compressor = source));
  }

  setContentType(type) {
    this.#contentType = type;
  }

  setPrelude(result) {
    this.#head(result);
  }

  // An exception here would surface in whatever pipes into this stream, where nothing catches it: a
  // header that Node.js refuses would end the process and all its requests.
  _write(chunk, _encoding, callback) {
    try {
      this.#take(chunk, callback);
    } catch (err) {
      callback(err);
    }
  }

  #take(chunk, callback) {
    if (!this.begun) {
      this.begun = true;
      this.emit("begin");
    }
    if (this.#prelude === null) return this.#body(chunk, callback);
    this.#prelude.push(chunk);
    const seen = this.#prelude.length === 1 ? chunk : Buffer.concat(this.#prelude);
    const framed = this.#contentType === INTEGRATION || (this.#contentType === undefined && seen[0] === 0x7b);
    if (!framed) {
      this.#head({ headers: this.#plainHeaders() });
      return this.#body(seen, callback);
    }
    const end = seen.indexOf(DELIMITER);
    if (end < 0) {
      this.#prelude = [seen];
      return callback(seen.length > MAX_PRELUDE ? new Error("the response prelude is larger than 1 MiB") : null);
    }
    let result;
    try {
      result = JSON.parse(seen.subarray(0, end).toString());
    } catch (cause) {
      return callback(new Error("the response prelude is not JSON", { cause }));
    }
    this.#head(result);
    this.#body(seen.subarray(end + DELIMITER.length), callback);
  }

  _final(callback) {
    if (this.#prelude !== null) {
      const plain = Buffer.concat(this.#prelude);
      this.#head({ headers: this.#plainHeaders() });
      this.#hold(plain);
    }
    // The whole body is known before any of it is sent.
    if (!this.#reply.begun) this.#reply.length ??= this.#wholeLength();
    this.#reply.end(this.#takeHeld());
    callback();
  }

  // A HEAD has no body to measure, and neither has a 304. HTTP/1.1 sends trailers only behind a body whose length is open.
  #wholeLength() {
    return this.#request.method === "HEAD" || this.#reply.status === 304 || this.#reply.hasTrailers ? undefined : this.#heldLength;
  }

  #plainHeaders() {
    const type = this.#contentType === INTEGRATION ? undefined : this.#contentType;
    return { "content-type": type ?? "application/octet-stream" };
  }

  #head(result) {
    this.#prelude = null;
    this.#onHead();
    this.#undoCompression(result.headers);
    this.#reply.setHead(headOf(result, this.#request));
    this.#schedule();
  }

  // OpenNext's streaming wrapper overwrites the app's Content-Encoding with the coding that it
  // compresses with, or "identity".
  #undoCompression(headers) {
    const coding = headers?.["content-encoding"];
    if (coding === undefined) return;
    const bypassed = this.#compressor && codingOf(this.#compressor) === coding && bypass(this.#compressor);
    if (bypassed || coding === "identity") headers["content-encoding"] = this.#ownCoding();
  }

  // What is written within one turn of the event loop is sent at its end, in one write: each costs both processes
  // more than the copy. A page that ends within the turn of its head, as most do, is sent with its length. Of a stream
  // of events the head is sent alone.
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#release();
    });
  }

  #release(callback) {
    if (this.#heldLength > 0) this.#reply.write(this.#takeHeld(), callback);
    else this.#reply.flushHead();
  }

  // callback is called at once for a chunk that is held back, so that what follows it in this turn can join it.
  #body(chunk, callback) {
    this.#hold(chunk);
    if (this.#heldLength > MAX_HELD) return this.#release(callback);
    if (chunk.length > 0) this.#schedule();
    callback();
  }

  #hold(chunk) {
    if (chunk.length === 0) return;
    this.#held.push(chunk);
    this.#heldLength += chunk.length;
  }

  #takeHeld() {
    const held = this.#held.length > 1 ? Buffer.concat(this.#held, this.#heldLength) : this.#held[0];
    this.#held = [];
    this.#heldLength = 0;
    return held;
  }
}
