import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import test from "node:test";

globalThis.awslambda = { streamifyResponse: (handler) => handler };
process.env.ANCHOR_ORIGIN_SECRET = "new";
const { guard } = await import("./guard.mjs");

// OpenNext's request (dist/http/request.js, @opennextjs/aws 4.1). Its body is a Buffer, empty for a request without one.
class OpenNextRequest extends http.IncomingMessage {
  constructor({ method, url, headers, body }) {
    super({ encrypted: true, readable: false, destroy: Function.prototype });
    if (body) headers["content-length"] ??= String(Buffer.byteLength(body));
    Object.assign(this, { method, url, headers, body, complete: true });
    this._read = () => (this.push(body), this.push(null));
  }
}

async function seen(event) {
  let answer;
  const app = async ({ headers, body = "" }) => {
    const request = new OpenNextRequest({ method: "GET", url: "/", headers: { ...headers }, body: Buffer.from(body) });
    answer = { length: request.headers["content-length"], body: await text(request) };
    return { statusCode: 200 };
  };
  const headers = { "x-anchor-origin": "new", ...event.headers };
  await guard(app)({ ...event, headers }, { setContentType() {}, write() {}, end() {} }, {});
  return answer;
}

test("an app sees the Content-Length that was sent", async () => {
  assert.deepEqual(await seen({}), { length: undefined, body: "" });
  assert.deepEqual(await seen({ headers: { "content-length": "0" } }), { length: "0", body: "" });
  assert.deepEqual(await seen({ headers: { "content-length": "2" }, body: "ab" }), { length: "2", body: "ab" });
  assert.deepEqual(await seen({ body: "ab" }), { length: "2", body: "ab" }); // sent in chunks; Lambda has it whole
});

test("a request to a server of the app's own is read as ever", async (t) => {
  const server = http.createServer(async (request, response) => {
    response.end(`${request.headers["content-length"]} ${await text(request)}`);
  }).listen(0, "127.0.0.1");
  t.after(() => server.close().closeAllConnections());
  await once(server, "listening");
  const answer = await fetch(`http://127.0.0.1:${server.address().port}`, { method: "POST", body: "ab" });
  assert.equal(await answer.text(), "2 ab");
});
