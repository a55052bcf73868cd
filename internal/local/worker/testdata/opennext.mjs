// The parts of OpenNext's runtime that a worker touches, in the same shape: its converter, request, response and
// Lambda wrappers (@opennextjs/aws 4.1, dist/overrides and dist/http).
import http from "node:http";
import { Readable, Transform, Writable } from "node:stream";
import zlib from "node:zlib";

export class IncomingMessage extends http.IncomingMessage {
  constructor({ method, url, headers, body, remoteAddress }) {
    super({ encrypted: true, readable: false, remoteAddress, end: Function.prototype, destroy: Function.prototype });
    if (body) headers["content-length"] ??= String(Buffer.byteLength(body));
    Object.assign(this, { complete: true, method, headers, body, url });
    this._read = () => {
      this.push(body);
      this.push(null);
    };
  }
}

export class OpenNextNodeResponse extends Transform {
  streamCreator;
  statusCode = 200;
  headers = {};
  headersSent = false;
  _chunks = [];
  _cookies = [];
  constructor(streamCreator) {
    super();
    this.streamCreator = streamCreator;
    streamCreator?.abortSignal?.addEventListener("abort", () => this.destroy());
  }
  setHeader(name, value) {
    if (name === "set-cookie") this._cookies = [].concat(value);
    else this.headers[name] = value;
    return this;
  }
  getHeader(name) {
    return this.headers[name];
  }
  getFixedHeaders() {
    return this.headers;
  }
  flushHeaders() {
    this.headersSent = true;
    const head = { statusCode: this.statusCode, cookies: this._cookies, headers: { ...this.headers } };
    this.pipe(this.streamCreator.writeHeaders(head));
  }
  fixHeadersForError() {}
  _transform(chunk, encoding, callback) {
    if (!this.headersSent) this.flushHeaders();
    if (this.streamCreator.retainChunks !== false) this._chunks.push(chunk);
    this.push(chunk);
    callback();
  }
  _flush(callback) {
    if (!this.headersSent) this.flushHeaders();
    callback();
  }
}

function convertFrom(event) {
  const { body, isBase64Encoded, rawPath, rawQueryString, requestContext } = event;
  const normalize = () => {
    if (Buffer.isBuffer(body)) return body;
    if (typeof body === "string") return Buffer.from(body, isBase64Encoded ? "base64" : "utf8");
    return Buffer.from("", "utf8");
  };
  const headers = {};
  if (event.cookies) headers.cookie = event.cookies.join("; ");
  return {
    method: requestContext.http.method,
    url: rawPath + (rawQueryString ? `?${rawQueryString}` : ""),
    rawPath,
    body: normalize(),
    headers: { ...headers, ...event.headers },
    remoteAddress: requestContext.http.sourceIp,
  };
}

function exchange(event, creator) {
  const internal = convertFrom(event);
  const req = new IncomingMessage({ ...internal, headers: { ...internal.headers } });
  delete req.body;
  return { internal, req, res: new OpenNextNodeResponse(creator) };
}

export const streaming = (app) =>
  awslambda.streamifyResponse(async (event, responseStream, context) => {
    context.callbackWaitsForEmptyEventLoop = false;
    responseStream.on("error", () => responseStream.end());
    let encoding = "identity";
    let body = responseStream;
    const accepted = event.headers["accept-encoding"] ?? "";
    if (accepted.includes("br")) {
      encoding = "br";
      body = zlib.createBrotliCompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH, finishFlush: zlib.constants.BROTLI_OPERATION_FINISH });
      body.pipe(responseStream);
    } else if (accepted.includes("gzip")) {
      encoding = "gzip";
      body = zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH });
      body.pipe(responseStream);
    } else if (accepted.includes("deflate")) {
      encoding = "deflate";
      body = zlib.createDeflate({ flush: zlib.constants.Z_SYNC_FLUSH });
      body.pipe(responseStream);
    }
    const writeHeaders = (prelude) => {
      responseStream.setContentType("application/vnd.awslambda.http-integration-response");
      prelude.headers["content-encoding"] = encoding;
      responseStream.write(JSON.stringify(prelude));
      responseStream.write(new Uint8Array(8));
      return body;
    };
    const background = [];
    await app({ ...exchange(event, { writeHeaders }), event, context, waitUntil: (p) => background.push(p) });
    await Promise.all(background);
  });

export const buffered = (app) => async (event, context) => {
  const sink = { writeHeaders: () => new Writable({ write: (_chunk, _encoding, callback) => callback() }) };
  const call = exchange(event, sink);
  const done = new Promise((resolve) => call.res.on("finish", resolve).on("close", resolve));
  await app({ ...call, event, context, waitUntil: () => {} });
  await done;
  const { res } = call;
  const body = Buffer.concat(res._chunks);
  const headers = res.getFixedHeaders();
  const binary = headers["content-type"] === "application/octet-stream" || headers["content-encoding"] === "gzip";
  return { statusCode: res.statusCode, headers, cookies: res._cookies, body: body.toString(binary ? "base64" : "utf8"), isBase64Encoded: binary };
};

export const compressed = async (app) => {
  const inner = await buffered(app);
  return async (event, context) => {
    const result = await inner(event, context);
    if (result.headers["content-encoding"] || !(event.headers["accept-encoding"] ?? "").includes("gzip")) return result;
    const body = zlib.gzipSync(Buffer.from(result.body, result.isBase64Encoded ? "base64" : "utf8")).toString("base64");
    return { ...result, headers: { ...result.headers, "content-encoding": "gzip" }, body, isBase64Encoded: true };
  };
};

export { Readable };
