// The two ways in which a Lambda handler answers, written to an HTTP response.
import { Writable } from "node:stream";
import { followable } from "./location.mjs";

const INTEGRATION = "application/vnd.awslambda.http-integration-response";
const DELIMITER = Buffer.alloc(8);
const MAX_PRELUDE = 1024 * 1024;
// Node.js frames the response itself.
const FRAMING = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"]);

// Writes status and headers of a result {statusCode, headers, cookies}. length: the body's, when it is known.
function writeHead(out, result, length) {
  const status = result.statusCode ?? 200;
  const cookies = [...(result.cookies ?? [])];
  for (const [key, value] of Object.entries(result.headers ?? {})) {
    const name = key.toLowerCase();
    if (value === undefined || value === null || FRAMING.has(name)) continue;
    if (name === "set-cookie") cookies.push(...[].concat(value));
    else if (name === "location") out.setHeader(name, followable(String(value), out.req));
    else if (name === "content-encoding" && value === "identity") continue; // not a registered content coding in responses
    else out.setHeader(name, Array.isArray(value) ? value : String(value));
  }
  if (cookies.length) out.setHeader("set-cookie", cookies);
  // OpenNext's wrappers compress after the app has set the length of what it wrote.
  if (out.hasHeader("content-encoding") || status === 204 || status < 200) out.removeHeader("content-length");
  if (length !== undefined && status !== 204 && status !== 304) out.setHeader("content-length", length);
  out.statusCode = status;
}

// Sends a buffered result (payload format 2.0; without a statusCode the result itself is the JSON body).
export function sendResult(out, result, method) {
  if (result === null || typeof result !== "object" || result.statusCode === undefined) {
    result = { statusCode: 200, headers: { "content-type": "application/json" }, body: typeof result === "string" ? result : JSON.stringify(result ?? null) };
  }
  const body = Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8");
  writeHead(out, result, method === "HEAD" ? undefined : body.length);
  out.end(body);
}

// The responseStream of a streaming handler: a JSON prelude, eight NUL bytes, the body. Chunk boundaries may fall
// anywhere. A handler that never writes the delimiter answers with a plain body (a warmer does).
export class ResponseStream extends Writable {
  #out;
  #onHead;
  #prelude = [];
  #contentType;
  #held; // the first chunk, for as long as it is held back
  #released = false;
  begun = false; // something was written; event "begin"

  constructor(out, onHead) {
    super();
    this.#out = out;
    this.#onHead = onHead;
  }

  setContentType(type) {
    this.#contentType = type;
  }

  setPrelude(result) {
    this.#head(result);
  }

  // What is thrown here would come out of whatever pipes into this stream, caught by nobody: a header that Node.js
  // refuses would end the process and all it is answering.
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
      this.#held = plain;
    }
    if (!this.#released) this.#setLength(this.#held?.length ?? 0);
    this.#out.end(this.#held);
    this.#held = undefined;
    callback();
  }

  // The whole body is known before any of it was sent.
  #setLength(length) {
    const { statusCode, req } = this.#out;
    if (req.method === "HEAD" || statusCode === 204 || statusCode === 304) return;
    this.#out.setHeader("content-length", length);
  }

  #plainHeaders() {
    const type = this.#contentType === INTEGRATION ? undefined : this.#contentType;
    return { "content-type": type ?? "application/octet-stream" };
  }

  #head(result) {
    this.#prelude = null;
    this.#onHead();
    writeHead(this.#out, result);
    setImmediate(() => this.#release());
  }

  // Head and first chunk are held back for one turn of the event loop. A body that ends within it, as most do, goes out
  // with its length and in one write; of a stream of events the head goes out alone.
  #release() {
    if (this.#released || this.#out.writableEnded || this.#out.destroyed) return;
    this.#released = true;
    const held = this.#held;
    this.#held = undefined;
    if (held) this.#out.write(held);
    else this.#out.flushHeaders();
  }

  #body(chunk, callback) {
    if (chunk.length === 0) return callback();
    if (!this.#released && !this.#held) {
      this.#held = chunk;
      return callback();
    }
    this.#release();
    if (this.#out.write(chunk)) return callback();
    this.#out.once("drain", callback);
  }
}
