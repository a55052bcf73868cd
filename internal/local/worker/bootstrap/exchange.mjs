// One request and its answer, and the connection from the supervisor that carries one exchange
// after another.
import { validateHeaderName, validateHeaderValue } from "node:http";
import { Readable } from "node:stream";
import { BROKEN, DATA, END, FrameReader, HEAD, INVOKE, writeFrames } from "./frame.mjs";
import { log } from "./log.mjs";
import { describe } from "./uncaught.mjs";

// Serves the exchanges of one connection: serve(request, reply) is called for each.
export class Connection {
  #socket;
  #number = 0; // of the exchange under way or, between two, of the one before
  #request;
  #reply;

  constructor(socket, serve) {
    this.#socket = socket;
    const frames = new FrameReader({
      head: (kind, number, text) => this.#begin(kind, number, text, serve),
      data: (number, chunk) => this.#current(number) && this.#request.take(chunk),
      end: (number) => this.#current(number) && this.#request.finish(),
    });
    socket.on("data", (chunk) => {
      try {
        frames.push(chunk);
      } catch (err) {
        log("error", `a request is cut off: ${describe(err)}`);
        socket.destroy();
      }
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#closed());
  }

  #begin(kind, number, text, serve) {
    if (this.#reply && !this.#reply.ended) throw new Error(`exchange ${number} began before exchange ${this.#number} ended`);
    this.#request?.cut();
    this.#number = number;
    this.#request = new Request(this.#socket, kind, text);
    this.#reply = new Reply(this.#socket, number, this.#request);
    serve(this.#request, this.#reply);
  }

  #current(number) {
    if (number !== this.#number) throw new Error(`a frame of exchange ${number} within exchange ${this.#number}`);
    return true;
  }

  #closed() {
    this.#request?.cut();
    this.#reply?.cut();
  }
}

// A request, a stream of its body. The head has one field a line: the client's address, 1 if a body
// follows, method, target, then name and value of each header.
export class Request extends Readable {
  #socket;

  constructor(socket, kind, text) {
    super({ highWaterMark: 64 << 10 });
    const [peer, body, method, url, ...fields] = text.split("\n");
    this.#socket = socket;
    this.raw = kind === INVOKE;
    this.peer = peer;
    this.hasBody = body === "1";
    this.method = method;
    this.url = url;
    this.headers = joined(fields);
    // A WebSocket handshake: the body is what the client sends once the answer is 101.
    this.upgrade = this.headers.upgrade === "websocket";
    delete this.headers.upgrade;
    this.complete = !this.hasBody; // the body has arrived
    this.on("error", () => {}); // reported by the reader of the body
    if (!this.hasBody) this.push(null);
  }

  take(chunk) {
    if (!this.destroyed && !this.push(chunk)) this.#socket.pause();
  }

  finish() {
    this.complete = true;
    if (!this.destroyed) this.push(null);
  }

  // The rest of the body will not arrive.
  cut() {
    if (!this.complete) this.destroy();
  }

  _read() {
    this.#socket.resume();
  }

  // The rest of the body is read and dropped, because the end of the connection, which reports that
  // the client has gone, comes after it.
  _destroy(err, callback) {
    this.#socket.resume();
    callback(err);
  }
}

function joined(fields) {
  const headers = Object.create(null); // a client may name a field "constructor"
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i];
    const before = headers[name];
    headers[name] = before === undefined ? fields[i + 1] : before + (name === "cookie" ? "; " : ",") + fields[i + 1];
  }
  return headers;
}

// The answer to a request. The head states the length of the body or leaves it open. The body must
// match it: what exceeds it is dropped, and a shorter body breaks the answer.
export class Reply {
  #socket;
  #number;
  #request;
  #resolve;
  #fields; // of the head, a line each
  #trailers; // likewise
  #bodiless = false; // the request or the status allows no body
  #left = Infinity; // octets of the declared length not yet written
  #surplus = false; // a surplus is logged
  status; // of the head, once it is set
  length; // of the body as the head declares it; undefined: until it ends
  begun = false; // the head is written
  ended = false; // complete, broken off, or nobody reads it
  closed = new Promise((resolve) => (this.#resolve = resolve)); // nothing more will be written
  onCut = () => {}; // called when the supervisor closes the connection before the answer is complete

  constructor(socket, number, request) {
    this.#socket = socket;
    this.#number = number;
    this.#request = request;
  }

  // Sets the head {status, fields: [[name, value]], length}, which is sent together with the first
  // data. length is a number of octets or undefined. Throws for a head that HTTP cannot carry.
  // switches marks the 101 that begins a tunnel; an app cannot send one.
  setHead({ status, fields, length, switches = false }) {
    if (!Number.isInteger(status) || (status < 200 && !switches) || status > 999) {
      throw new Error(`${status} is not a status that can end a request (200 to 999)`);
    }
    this.#fields = fieldLines(fields);
    this.status = status;
    this.#bodiless = this.#request.method === "HEAD" || [204, 205, 304].includes(status);
    this.length = length;
  }

  // Sets the trailer fields [[name, value]] (RFC 9110, section 6.5), which are sent with the end of the body if its
  // length is open. Throws for fields that HTTP cannot carry.
  setTrailers(fields) {
    if (fields.length > 0) this.#trailers = fieldLines(fields).slice(1);
  }

  get hasTrailers() {
    return this.#trailers !== undefined;
  }

  // Sends the head alone, unless it was sent already.
  flushHead() {
    if (!this.begun) this.#send(undefined, undefined, false);
  }

  // callback is called when there is room for more.
  write(chunk, callback) {
    this.#send(chunk, callback, false);
  }

  // Completes the answer with chunk, which may be undefined.
  end(chunk) {
    this.#send(chunk, undefined, true);
  }

  // Breaks the answer off: the client must not take what it has for the whole answer.
  breakOff() {
    if (!this.ended) this.#finish([], BROKEN);
  }

  cut() {
    this.#resolve();
    if (this.ended) return;
    this.ended = true;
    this.onCut();
  }

  #send(chunk, callback, last) {
    const size = chunk?.length ?? 0;
    if (this.ended) {
      this.#dropped(size);
      return void callback?.();
    }
    const frames = this.begun ? [] : [[HEAD, this.#begin()]];
    const taken = Math.min(size, this.#left);
    if (taken > 0) frames.push([DATA, taken < size ? chunk.subarray(0, taken) : chunk]);
    this.#left -= taken;
    if (last || this.#left === 0) {
      const whole = this.#left === 0 || this.#left === Infinity;
      if (!whole) this.#say("error", `the answer ends ${this.#left} octets short of its Content-Length, so it is broken off`);
      const trailers = this.#left === Infinity ? this.#trailers : undefined;
      this.#finish(frames, whole ? END : BROKEN, trailers);
      this.#dropped(size - taken);
      return void callback?.();
    }
    const room = frames.length === 0 || writeFrames(this.#socket, this.#number, frames);
    if (room) callback?.();
    else if (callback) this.#socket.once("drain", callback);
  }

  #finish(frames, kind, payload) {
    this.ended = true;
    writeFrames(this.#socket, this.#number, [...frames, [kind, payload]], this.#resolve);
    this.#socket.resume(); // read what is still to come of the request, including the end of the connection
  }

  // One field per line: status, length of the body or nothing, then name and value of each header.
  #begin() {
    this.begun = true;
    if (this.#bodiless) this.#left = 0;
    else if (this.length !== undefined) this.#left = this.length;
    // RFC 9110, sections 8.6 and 15.3.6: for a HEAD and a 304 it is the length that a GET would
    // have had, for a 205 it is 0.
    const length = { 204: "", 205: 0 }[this.status] ?? this.length ?? "";
    return `${this.status}\n${length}${this.#fields}`;
  }

  #dropped(octets) {
    if (octets === 0 || this.#bodiless || this.#surplus || this.#left !== 0) return;
    this.#surplus = true;
    this.#say("error", "the answer is longer than its Content-Length: the surplus is dropped");
  }

  #say(level, text) {
    log(level, text, this.#request.headers["x-request-id"]);
  }
}

// Node.js' checks also refuse line feeds, which separate the fields, and characters outside latin1.
function fieldLines(fields) {
  let lines = "";
  for (const [name, value] of fields) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    lines += `\n${name}\n${value}`;
  }
  return lines;
}
