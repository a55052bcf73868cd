// One request being answered: from its first byte to the end of the handler's promise, background
// work included.
import { randomUUID } from "node:crypto";
import { finished } from "node:stream/promises";
import { readBody } from "./body.mjs";
import { declareIdentity } from "./compression.mjs";
import { gatewayEvent, lambdaContext } from "./event.mjs";
import { current, log } from "./log.mjs";
import { ResponseStream, sendResult } from "./response.mjs";
import { openTunnel } from "./tunnel.mjs";
import { describe, isDeparture } from "./uncaught.mjs";

// The mark that Lambda's own runtime sets on streaming handlers.
export const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

// The time in which a handler that has returned must start its answer.
const FIRST_WRITE_MS = 30_000;

function firstWrite(stream) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error("the handler returned and wrote no answer"));
    const timer = setTimeout(late, FIRST_WRITE_MS);
    const done = () => (clearTimeout(timer), resolve());
    stream.once("begin", done).once("finish", done).once("close", done);
  });
}

export class Invocation {
  began = Date.now();
  lookups = new Map(); // of entries of the incremental cache: type and key -> Unix milliseconds
  #response; // OpenNext's response object, once it exists
  #stream;
  #gone = false;
  #end;
  #over = new Promise((resolve) => (this.#end = resolve)); // a failure has ended the request, whatever the handler does

  constructor(request, reply, app) {
    this.request = request;
    this.reply = reply;
    this.app = app;
    this.id = request.headers["x-request-id"] ?? randomUUID();
    this.path = request.raw ? undefined : request.url.split("?", 1)[0];
    reply.onCut = () => current.run(this, () => this.#disconnect());
  }

  run() {
    const handled = current.run(this, () => (this.request.raw ? this.#invoke() : this.#serve()));
    return Promise.race([handled, this.#over]);
  }

  // Ends the request because of err, which bypassed the handler: with status, or as broken if its
  // answer has begun. After a complete answer only background work is left, which continues.
  fail(err, status = 500) {
    if (this.reply.ended && !this.#gone) return;
    if (!this.#gone) {
      this.#fail(err, status);
      this.#disconnect();
    }
    this.#end();
  }

  adopt(response) {
    this.#response = response;
    if (!this.app.handler[STREAMING]) declareIdentity(response);
    response.on("close", () => response.writableFinished || this.#closedEarly());
    if (this.#gone) response.destroy();
  }

  // Connects the client of a WebSocket handshake with the host that accepted it. The handler never
  // learns of an answer: the invocation ends with the connection.
  tunnel(answer, socket, head) {
    openTunnel(this.request, this.reply, answer, socket, head, () => this.#end());
  }

  #disconnect() {
    this.#gone = true;
    this.#response?.destroy();
    this.#stream?.destroy();
  }

  // An app that destroys its response ends it: under a plain HTTP server the connection would
  // close.
  #closedEarly() {
    if (!this.reply.ended) this.#fail(new Error("the app closed its answer before it was complete"));
  }

  async #serve() {
    try {
      const event = gatewayEvent(this.request, this.id, await readBody(this.request, this.app.canStream));
      const context = lambdaContext(this.id, this.app.name);
      if (this.app.handler[STREAMING]) await this.#streamed(event, context);
      else {
        const result = await this.app.handler(event, context);
        if (!this.#gone) sendResult(this.reply, result, this.request);
      }
    } catch (err) {
      this.#fail(err);
    }
  }

  async #streamed(event, context) {
    let sources = 0;
    const stream = new ResponseStream(this.reply, this.request, () => this.#stopRetaining(), () => this.#response?.getHeader("content-encoding"));
    this.#stream = stream;
    stream.on("error", (err) => this.#fail(err));
    stream.on("close", () => stream.writableFinished || stream.errored || this.#closedEarly());
    stream.on("pipe", () => sources++).on("unpipe", () => sources--);
    await this.app.handler(event, stream, context);
    // Whatever is piped into the stream ends it, perhaps later; the stream of a handler that wrote
    // by hand and forgot to end it is ended here.
    if (sources > 0 || this.#response || stream.writableEnded) return;
    if (stream.begun) return void stream.end();
    // OpenNext 2 starts to write only after its handler has returned.
    await firstWrite(stream);
    await finished(stream).catch(() => {}); // an error of the stream is reported where it occurs
  }

  // OpenNext keeps a copy of every chunk for wrappers that buffer. This one streams, and a long
  // body must not be held.
  #stopRetaining() {
    const creator = this.#response?.streamCreator;
    if (creator) creator.retainChunks ??= false;
  }

  // The raw event arrives as the body, and the raw result is sent as JSON.
  async #invoke() {
    try {
      const { buffer } = await readBody(this.request, false);
      const result = await this.app.handler(JSON.parse(buffer.toString()), lambdaContext(this.id, this.app.name));
      const body = Buffer.from(JSON.stringify(result ?? null));
      this.reply.setHead({ status: 200, fields: [["content-type", "application/json"]], length: body.length });
      this.reply.end(body);
    } catch (err) {
      this.#fail(err);
    }
  }

  #fail(err, status = 500) {
    if (this.#gone) return;
    // A departure was logged where it was thrown.
    if (!isDeparture(err)) log("error", `${status === 502 ? "request" : "handler"} failed: ${describe(err)}`, this.id, this.path);
    if (this.reply.begun) return void this.reply.breakOff(); // a cut response must not look like a whole one
    const body = Buffer.from(status === 502 ? "Bad Gateway\n" : "Internal Server Error\n");
    const fields = [["content-type", "text/plain; charset=utf-8"], ["x-anchor-error", status === 502 ? "stream" : "handler"]];
    this.reply.setHead({ status, fields, length: body.length });
    this.reply.end(body);
  }
}
