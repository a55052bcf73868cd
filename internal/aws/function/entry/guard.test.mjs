import assert from "node:assert/strict";
import { Writable } from "node:stream";
import test from "node:test";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
globalThis.awslambda = { streamifyResponse: (handler) => ((handler[STREAMING] = "response"), handler) };
process.env.ANCHOR_ORIGIN_SECRET = "new";
const { guard, knows, HEADER } = await import("./guard.mjs");

// The response stream of Lambda's runtime, as far as handlers use it.
class Stream extends Writable {
  type;
  chunks = [];
  setContentType = (type) => (this.type = type);
  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    done();
  }
  get answer() {
    const all = Buffer.concat(this.chunks);
    const end = all.indexOf(Buffer.alloc(8));
    return { ...JSON.parse(all.subarray(0, end)), body: all.subarray(end + 8) };
  }
}

async function call(handler, headers) {
  const stream = new Stream();
  await handler({ rawPath: "/", headers }, stream, {});
  return stream;
}

const echo = async (event) => ({ statusCode: 200, headers: { "x-saw": JSON.stringify(event.headers) }, cookies: ["a=1"], body: "yes" });

test("the app's environment does not hold the secret", () => {
  assert.equal(process.env.ANCHOR_ORIGIN_SECRET, undefined);
});

test("who does not know the secret is refused and told nothing", async () => {
  let called = false;
  const handler = guard(async () => ((called = true), { statusCode: 200 }));
  for (const headers of [undefined, {}, { [HEADER]: "" }, { [HEADER]: "ne" }, { [HEADER]: "newer" }, { [HEADER]: "old,older" }]) {
    const { answer } = await call(handler, headers);
    assert.equal(answer.statusCode, 403);
    assert.equal(String(answer.body), "Forbidden\n");
  }
  assert.equal(called, false);
});

test("the app never sees the header, however it is spelled", async () => {
  for (const name of [HEADER, "X-Anchor-Origin"]) {
    const { answer } = await call(guard(echo), { [name]: "new", accept: "*/*" });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(JSON.parse(answer.headers["x-saw"]), { accept: "*/*" });
    assert.deepEqual(answer.cookies, ["a=1"]);
  }
});

test("any generation that is sent may be the known one", () => {
  assert.ok(knows("newest, new ,old", "new"));
  assert.ok(knows("new", "new"));
  assert.ok(!knows("newest,old", "new"));
});

test("a streaming app gets the stream", async () => {
  const app = awslambda.streamifyResponse(async (_event, stream) => {
    stream.setContentType("application/vnd.awslambda.http-integration-response");
    stream.write('{"statusCode":201,"headers":{}}');
    stream.write(Buffer.alloc(8));
    stream.write("one");
    stream.end("two");
  });
  const stream = await call(guard(app), { [HEADER]: "new" });
  assert.equal(stream.answer.statusCode, 201);
  assert.equal(String(stream.answer.body), "onetwo");
});

test("a buffered answer keeps its bytes", async () => {
  const bytes = Buffer.from([0xff, 0xd8, 0, 1, 2]);
  const image = async () => ({ statusCode: 200, headers: { "content-type": "image/jpeg" }, body: bytes.toString("base64"), isBase64Encoded: true });
  const { answer, type } = await call(guard(image), { [HEADER]: "new" });
  assert.deepEqual(answer.body, bytes);
  assert.equal(type, "application/vnd.awslambda.http-integration-response");
  const empty = await call(guard(async () => ({ statusCode: 304 })), { [HEADER]: "new" });
  assert.equal(empty.answer.statusCode, 304);
  assert.ok(empty.writableEnded && empty.chunks.length > 0);
  const plain = await call(guard(async () => ({ hello: 1 })), { [HEADER]: "new" });
  assert.equal(String(plain.answer.body), '{"hello":1}');
});

test("a handler without an app or a secret does not start", () => {
  assert.throws(() => guard(undefined), /no handler/);
  assert.throws(() => guard(echo, { secret: "" }), /ANCHOR_ORIGIN_SECRET/);
});

test("an app that throws is Lambda's to report", async () => {
  const handler = guard(async () => {
    throw new Error("no page today");
  });
  await assert.rejects(call(handler, { [HEADER]: "new" }), /no page today/);
});

test("a warmer's event reaches the handler of OpenNext's bundle, and only that of such a bundle", async () => {
  const seen = [];
  const warmer = { type: "warmer", warmerId: "w", index: 0, concurrency: 2, delay: 75 };
  const answer = { type: "warmer", serverId: "s" };
  const before = () => assert.fail("middleware saw it");
  const buffered = async (event) => (seen.push(event), answer);
  const streaming = awslambda.streamifyResponse(async (event, stream) => (seen.push(event), stream.end(JSON.stringify(answer))));
  for (const app of [buffered, streaming]) {
    const stream = new Stream();
    await guard(app, { before, warmer: true })(warmer, stream, {});
    assert.deepEqual(JSON.parse(String(Buffer.concat(stream.chunks))), answer);
  }
  assert.deepEqual(seen, [warmer, warmer]);
  const stream = new Stream();
  await guard(buffered)(warmer, stream, {});
  assert.equal(stream.answer.statusCode, 403);
  assert.equal(seen.length, 2);
});

test("a request cannot pass for a warmer's event", async () => {
  const handler = guard(() => assert.fail("the app saw it"), { warmer: true });
  const stream = new Stream();
  await handler({ type: "warmer", rawPath: "/", headers: {}, requestContext: { http: { method: "GET" } } }, stream, {});
  assert.equal(stream.answer.statusCode, 403);
});
