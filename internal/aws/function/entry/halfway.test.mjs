import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import test from "node:test";
import { begin } from "./answer.mjs";
import { believed, mark } from "./halfway.mjs";

const A = "01jd0000000000000000000000";
const B = "01jd0000000000000000000001";

class Sink extends Writable {
  chunks = [];
  setContentType() {}
  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    done();
  }
  get all() {
    return Buffer.concat(this.chunks);
  }
}

test("an edge that believes in another deployment", () => {
  const live = (id, variant = "live") => ({ "x-anchor-deployment": id, "x-anchor-variant": variant });
  assert.equal(believed(live(A), B), A);
  assert.equal(believed(live(B), B), undefined);
  assert.equal(believed(live(A, "preview"), B), undefined);
  assert.equal(believed(live("a; Path=/x"), B), undefined);
  assert.equal(believed({}, B), undefined);
  assert.equal(believed(undefined, B), undefined);
  assert.equal(believed(live(A), ""), undefined);
});

async function answered(pieces, ...last) {
  const sink = new Sink();
  mark(sink, A, B);
  for (const piece of pieces) sink.write(piece);
  sink.end(...last);
  await finished(sink);
  const cut = sink.all.indexOf(Buffer.alloc(8));
  return { prelude: cut < 0 ? undefined : JSON.parse(sink.all.subarray(0, cut)), body: String(sink.all.subarray(cut < 0 ? 0 : cut + 8)) };
}

test("the answer is not cached, and names the page's deployment", async () => {
  const sink = new Sink();
  mark(sink, A, B);
  begin(sink, { statusCode: 200, headers: { "Cache-Control": "s-maxage=31536000", "content-type": "text/html", etag: "x" }, cookies: ["theirs=1"] });
  sink.write("<html>");
  sink.end("</html>");
  await finished(sink);
  const [prelude, body] = String(sink.all).split("\0".repeat(8));
  assert.deepEqual(JSON.parse(prelude), {
    statusCode: 200,
    headers: { "content-type": "text/html", etag: "x", "cache-control": "private, no-store" },
    cookies: ["theirs=1", `__anchor_page=${B}.${A}; Path=/; Max-Age=30; Secure; HttpOnly; SameSite=Lax`],
  });
  assert.equal(body, "<html></html>");
});

test("a prelude in pieces", async () => {
  const whole = Buffer.concat([Buffer.from('{"statusCode":204}'), Buffer.alloc(8), Buffer.from("body\0\0\0\0\0\0\0\0more")]);
  for (let at = 1; at < whole.length; at++) {
    const { prelude, body } = await answered([whole.subarray(0, at), whole.subarray(at)]);
    assert.equal(prelude.statusCode, 204);
    assert.equal(prelude.headers["cache-control"], "private, no-store");
    assert.equal(body, "body\0\0\0\0\0\0\0\0more");
  }
});

test("an answer without a prelude, or without anything", async () => {
  assert.deepEqual(await answered(["plain"]), { prelude: undefined, body: "plain" });
  assert.deepEqual(await answered([], "at the end"), { prelude: undefined, body: "at the end" });
  assert.deepEqual(await answered([]), { prelude: undefined, body: "" });
  const whole = Buffer.concat([Buffer.from('{"statusCode":200}'), Buffer.alloc(8)]);
  assert.equal((await answered([], whole)).prelude.statusCode, 200);
});

test("a writer that waits for each piece continues", async () => {
  const sink = new Sink();
  mark(sink, A, B);
  const written = (piece) => new Promise((resolve) => sink.write(piece, resolve));
  await written('{"statusCode":200}');
  await written(Buffer.alloc(8));
  await written("body");
  sink.end();
  await finished(sink);
  assert.ok(String(sink.all).endsWith("body"));
});
