import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fakeCloudFront } from "./testdata/cloudfront.mjs";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
globalThis.awslambda = { streamifyResponse: (handler) => ((handler[STREAMING] = "response"), handler) };
process.env.ANCHOR_ORIGIN_SECRET = "new";
const { guard } = await import("./guard.mjs");

// The build in the function's folder.
const home = mkdtempSync(path.join(tmpdir(), "anchor-invalidation-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
mkdirSync(path.join(home, ".next/server"), { recursive: true });
for (const [name, content] of Object.entries({ BUILD_ID: "b1", "routes-manifest.json": "{}", "server/middleware-manifest.json": "{}" })) {
  writeFileSync(path.join(home, ".next", name), content);
}
process.chdir(home);

// Sets what OpenNext sets while it loads (createMainHandler).
function openNext({ tagCache = { mode: "original" }, cdn = { name: "dummy", invalidatePaths: async () => assert.fail("the dummy is asked") } } = {}) {
  const written = [];
  globalThis.tagCache = { writeTags: async (rows) => void written.push(...rows), ...tagCache };
  globalThis.cdnInvalidationHandler = cdn;
  return written;
}

const tag = (...rows) => globalThis.tagCache.writeTags(rows);
const paths = (...all) => globalThis.cdnInvalidationHandler.invalidatePaths(all);
const byURL = (initialPath, type, rawPath) => ({ initialPath, rawPath, resolvedRoutes: [{ route: initialPath, type }] });

// Sends the function a request during which the app does work, and returns the answer.
async function request(work, { distribution = "E1DIST", remaining } = {}) {
  const chunks = [];
  const stream = { setContentType() {}, write: (c) => chunks.push(c), end: (c) => chunks.push(c) };
  let seen;
  const app = async (event) => ((seen = event.headers), await work(), { statusCode: 200, body: "answered" });
  const headers = { "X-Anchor-Origin": "new", "x-anchor-distribution": distribution, accept: "*/*" };
  await guard(app)({ headers }, stream, { getRemainingTimeInMillis: remaining && (() => remaining) });
  return { seen, body: String(chunks.at(-1)) };
}

const gone = (calls) => calls.map((call) => call.paths);

test("the pages of a tag go, once the app has answered, in one call", async (t) => {
  const { calls } = await fakeCloudFront(t);
  const written = openNext();
  const { seen } = await request(async () => {
    await tag({ tag: "prices", path: "products/mug", expire: 5 }, { tag: "prices", path: "index", expire: 5 }, { tag: "prices", path: "e".repeat(64), expire: 5 });
    await tag({ tag: "prices", path: `route-cache/APP_PAGE/${"a".repeat(64)}/$/cart`, stale: 5 }, { tag: "prices", path: '["b1","f00"]', stale: 5 });
    await paths(byURL("/products/mug", "app"));
    assert.deepEqual(calls, []);
  });
  assert.deepEqual(gone(calls), [["/products/mug*", "/", "/?*", "/cart*"]]);
  assert.equal(calls[0].quantity, 4);
  assert.equal(calls[0].path, "/2020-05-31/distribution/E1DIST/invalidation");
  assert.match(calls[0].signed, /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/us-east-1\/cloudfront\/aws4_request, /);
  assert.equal(written.length, 5);
  assert.deepEqual(seen, { accept: "*/*" });
});

test("a page that tells its tags is not revalidated", async (t) => {
  const { calls } = await fakeCloudFront(t);
  openNext();
  await request(() => tag({ tag: "prices", path: "products/mug", revalidatedAt: 1 }));
  await request(async () => {});
  assert.deepEqual(calls, []);
});

test("tags that know no pages take everything along, unless they can be asked", async (t) => {
  const { calls } = await fakeCloudFront(t);
  openNext({ tagCache: { mode: "nextMode" } });
  await request(() => tag("b1/_tag/prices"));
  openNext({ tagCache: { mode: "nextMode", getPathsByTags: async () => [] } });
  await request(() => tag({ tag: "prices", expire: 5 }).then(() => paths(byURL("/x", "app"))));
  assert.deepEqual(gone(calls), [["/*"], ["/x*"]]);
});

test("a page of the pages router goes with its data, before and after a rewrite", async (t) => {
  const { calls } = await fakeCloudFront(t);
  openNext();
  await request(() => paths(byURL("/manual", "page", "/guide")));
  assert.deepEqual(gone(calls), [["/manual*", "/_next/data/b1/manual.json*", "/guide*", "/_next/data/b1/guide.json*"]]);
});

test("an invalidation that the app brings itself is left alone", async (t) => {
  const { calls } = await fakeCloudFront(t);
  const asked = [];
  openNext({ cdn: { name: "fastly", invalidatePaths: async (all) => void asked.push(...all) } });
  await request(async () => {
    await tag({ tag: "prices", path: "x", expire: 5 });
    await paths(byURL("/x", "app"));
  });
  assert.deepEqual(asked, [byURL("/x", "app")]);
  assert.deepEqual(calls, []);
});

test("without a distribution there is nothing to invalidate", async (t) => {
  const { calls } = await fakeCloudFront(t);
  openNext();
  for (const distribution of ["", "../E1"]) await request(() => paths(byURL("/x", "app")), { distribution });
  assert.deepEqual(calls, []);
});

test("a busy CloudFront is asked again, under the same reference", async (t) => {
  const { calls, answers } = await fakeCloudFront(t);
  openNext();
  answers.push([400, "TooManyInvalidationsInProgress"], [400, "Throttling"], [0], [503, ""]);
  const { body } = await request(() => paths(byURL("/x", "app")));
  assert.equal(body, "answered");
  assert.equal(calls.length, 5);
  assert.equal(new Set(calls.map((call) => call.reference)).size, 1);
});

test("what a busy CloudFront does not take in time goes with the next request", async (t) => {
  const { calls, answers } = await fakeCloudFront(t);
  openNext();
  await request(() => paths(byURL("/x", "app")), { remaining: 900 });
  assert.equal(calls.length, 0);
  answers.push([400, "TooManyInvalidationsInProgress"]);
  await request(async () => {}); // one attempt: it had no reason to wait
  assert.equal(calls.length, 1);
  await request(() => paths(byURL("/y", "app")));
  await request(async () => {});
  assert.deepEqual(gone(calls), [["/x*"], ["/x*", "/y*"]]);
});

test("a refusal ends it, and the app does not notice", async (t) => {
  const { calls, answers } = await fakeCloudFront(t);
  openNext();
  answers.push([403, "AccessDenied"]);
  const logged = t.mock.method(console, "error", () => {});
  const { body } = await request(() => paths(byURL("/x", "app")));
  await request(async () => {});
  assert.equal(body, "answered");
  assert.equal(calls.length, 1);
  assert.match(logged.mock.calls[0].arguments[0], /^CloudFront E1DIST may serve stale pages \(\/x\*\): CloudFront answers 403: .*AccessDenied/);
});

test("what an app revalidates before it fails goes all the same", async (t) => {
  const { calls } = await fakeCloudFront(t);
  openNext();
  await assert.rejects(request(async () => {
    await paths(byURL("/x", "app"));
    throw new Error("no page today");
  }), /no page today/);
  assert.deepEqual(gone(calls), [["/x*"]]);
});
