// The frames of the hop between the supervisor and this process; worker/frame.go has the other end.
// Each has a header of nine octets (kind, number of the exchange, length of the payload;
// big-endian) and a payload. A frame states where an answer ends, so that it is never inferred from
// what the app writes.
export const HEAD = 1; // of a request or its answer
export const DATA = 2; // a piece of the body
export const END = 3; // the message is complete; the payload of an answer's has its trailers, if any
export const BROKEN = 4; // the message will not be completed
export const INVOKE = 5; // head of a raw invocation

const HEADER = 9;
const MAX_HEAD = 1 << 20;
// A larger piece of a body is split, so that a length always fits its field.
const MAX_DATA = 16 << 20;
// Up to this size, copying into one buffer is cheaper than a gathering write.
const MAX_COPY = 64 << 10;

// Calls take.head(kind, number, text), take.data(number, chunk) and take.end(number) for the frames
// in a stream of chunks. Throws when the stream is not one of frames.
export class FrameReader {
  #take;
  #kind = 0; // of the frame whose payload is being read; 0 between two frames
  #number = 0;
  #left = 0; // octets of its payload still to come
  #held = []; // the part of a header or a head that has arrived
  #heldLength = 0;

  constructor(take) {
    this.#take = take;
  }

  push(chunk) {
    let at = 0;
    while (at < chunk.length || (this.#kind !== 0 && this.#left === 0)) {
      if (this.#kind === 0) at = this.#header(chunk, at);
      else if (this.#kind === DATA) at = this.#data(chunk, at);
      else at = this.#whole(chunk, at);
    }
  }

  #header(chunk, at) {
    const { bytes, next } = this.#gather(chunk, at, HEADER);
    if (!bytes) return next;
    this.#kind = bytes[0];
    this.#number = bytes.readUInt32BE(1);
    this.#left = bytes.readUInt32BE(5);
    if (this.#kind < HEAD || this.#kind > INVOKE) throw new Error(`unknown kind of frame: ${this.#kind}`);
    if (this.#kind !== DATA && this.#left > MAX_HEAD) throw new Error(`a frame of kind ${this.#kind} with ${this.#left} octets`);
    return next;
  }

  #data(chunk, at) {
    const part = chunk.subarray(at, at + this.#left);
    this.#left -= part.length;
    if (this.#left === 0) this.#kind = 0;
    if (part.length) this.#take.data(this.#number, part);
    return at + part.length;
  }

  #whole(chunk, at) {
    const { bytes, next } = this.#gather(chunk, at, this.#left);
    if (!bytes) return next;
    const kind = this.#kind;
    this.#kind = this.#left = 0;
    if (kind === HEAD || kind === INVOKE) this.#take.head(kind, this.#number, bytes.latin1Slice());
    else if (kind === END) this.#take.end(this.#number);
    else throw new Error(`a frame of kind ${kind} in a request`);
    return next;
  }

  // Returns {bytes, next}: the next size octets when they have arrived, and where reading
  // continues.
  #gather(chunk, at, size) {
    const part = chunk.subarray(at, at + size - this.#heldLength);
    const next = at + part.length;
    if (this.#heldLength === 0 && part.length === size) return { bytes: part, next };
    this.#held.push(part);
    this.#heldLength += part.length;
    if (this.#heldLength < size) return { next };
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldLength = 0;
    return { bytes, next };
  }
}

// Writes frames of exchange number to socket. Each of parts is [kind, payload]; a payload is a
// Buffer, latin1 text or undefined. done is called when all is handed to the system. Returns false
// when the writer should wait for "drain".
export function writeFrames(socket, number, parts, done) {
  const pieces = parts.flatMap(([kind, payload]) => split(kind, payload));
  let size = 0;
  for (const [, payload] of pieces) size += HEADER + (payload?.length ?? 0);
  if (size <= MAX_COPY) {
    const all = Buffer.allocUnsafe(size);
    let at = 0;
    for (const [kind, payload] of pieces) at = put(all, at, number, kind, payload);
    return socket.write(all, done);
  }
  socket.cork();
  let room = true;
  for (const [kind, payload] of pieces) {
    const header = Buffer.allocUnsafe(HEADER);
    putHeader(header, 0, number, kind, payload?.length ?? 0);
    room = socket.write(header);
    if (payload?.length) room = socket.write(typeof payload === "string" ? Buffer.from(payload, "latin1") : payload);
  }
  if (done) room = socket.write(Buffer.alloc(0), done);
  socket.uncork();
  return room;
}

function split(kind, payload) {
  if (kind !== DATA || payload.length <= MAX_DATA) return [[kind, payload]];
  const pieces = [];
  for (let at = 0; at < payload.length; at += MAX_DATA) pieces.push([DATA, payload.subarray(at, at + MAX_DATA)]);
  return pieces;
}

function put(buffer, at, number, kind, payload) {
  const length = payload?.length ?? 0;
  putHeader(buffer, at, number, kind, length);
  at += HEADER;
  if (typeof payload === "string") buffer.latin1Write(payload, at, length);
  else if (length) buffer.set(payload, at);
  return at + length;
}

function putHeader(buffer, at, number, kind, length) {
  buffer[at] = kind;
  buffer.writeUInt32BE(number, at + 1);
  buffer.writeUInt32BE(length, at + 5);
}
