import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { once } from "node:events";
import { AsyncLocalStorage } from "node:async_hooks";
import { Writable } from "node:stream";
import test, { after } from "node:test";

// The other functions and CloudFront, by plain HTTP.
const seen = [];
const server = http.createServer(async (request, answer) => {
  const body = await request.toArray();
  seen.push({ url: request.url, method: request.method, headers: request.headers, body: Buffer.concat(body).toString() });
  answer.writeHead(206, { "content-type": "text/plain", "set-cookie": ["a=1", "b=2"], "content-encoding": "br", "x-amzn-requestid": "1", via: "x" });
  answer.write("one");
  if (request.url === "/api/x?cut") return void setImmediate(() => answer.destroy());
  answer.end("two");
}).listen(0, "127.0.0.1");
after(() => server.close());
await once(server, "listening");
const { port } = server.address();
https.request = (url, options, done) => {
  const { protocol, host, pathname, search } = new URL(url);
  assert.equal(protocol, "https:");
  return http.request(`http://127.0.0.1:${port}${pathname}${search}`, { ...options, headers: { ...options.headers, host } }, done);
};

const { middleware } = await import("./middleware.mjs");
const { matches, router } = await import("./routes.mjs");
const routes = {
  base: "", rest: ["default", true],
  routes: [["/api/*", "api", true], ["/api2/*", "api2", true], ["/free/*", "default", false], ["/_next/image*", "imageOptimizer", false], ["/a file.txt", "", false]],
};
const { ready, before } = middleware({ module: new URL("./testdata/middleware/handler.mjs", import.meta.url), name: "handler", ...routes });
await ready;

const proof = { "x-anchor-origin": "secret" };
const fromFront = {
  distribution: "E1", host: "shop.example", cookie: "__anchor_deployment=01", routed: false, hosts: { default: "own.on.aws", api: "api.on.aws" },
};
const direct = { distribution: "", host: "", cookie: "", routed: false, hosts: {} };

function event(rawPath, { method = "GET", headers = {}, cookies, body, isBase64Encoded = false, query = "" } = {}) {
  const requestContext = { domainName: "own.on.aws", http: { method, path: rawPath, sourceIp: "192.0.2.7" } };
  return { version: "2.0", rawPath, rawQueryString: query, headers: { host: "own.on.aws", ...headers }, cookies, body, isBase64Encoded, requestContext };
}

class Stream extends Writable {
  chunks = [];
  setContentType() {}
  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    done();
  }
  get answer() {
    const all = Buffer.concat(this.chunks);
    const end = all.indexOf(Buffer.alloc(8));
    return { ...JSON.parse(all.subarray(0, end)), body: all.subarray(end + 8).toString() };
  }
}

test("the middleware answers by itself", async () => {
  const { answer } = await before(event("/redirect"), fromFront, proof);
  assert.deepEqual(answer, { statusCode: 307, headers: { location: "/to" }, cookies: ["a=1", "b=2"], body: "", isBase64Encoded: false });
  const image = (await before(event("/image"), fromFront, proof)).answer;
  assert.deepEqual([image.body, image.isBase64Encoded], ["AQL/", true]);
  assert.equal((await before(event("/image", { method: "HEAD" }), fromFront, proof)).answer.body, "");
});

test("the app gets the request as the middleware left it", async () => {
  const sent = event("/from", {
    method: "POST", query: "q=%26", cookies: ["a=1", "b=2"], body: Buffer.from("form=1").toString("base64"), isBase64Encoded: true,
    headers: { "x-forwarded-host": "shop.example", "x-forwarded-proto": "https", "x-keep": "k", "x-drop": "d" },
  });
  const copy = structuredClone(sent);
  const { event: got } = await before(sent, fromFront, proof);
  assert.deepEqual(sent, copy);
  assert.equal(got.rawPath, "/rewritten/%C3%A9%2Fx");
  assert.equal(got.requestContext.http.path, got.rawPath);
  assert.equal(got.requestContext.http.method, "POST");
  assert.equal(got.rawQueryString, "was=%2Ffrom&q=%26");
  assert.deepEqual(got.cookies, ["a=1", "b=2"]);
  assert.equal(got.body, sent.body);
  const { "x-origins": origins, ...headers } = got.headers;
  assert.ok(JSON.parse(origins).default);
  assert.deepEqual(headers, {
    host: "own.on.aws", "x-forwarded-host": "shop.example", "x-forwarded-proto": "https", "x-keep": "k",
    "x-opennext-initial-url": "https://shop.example/from", "x-body": "form=1", "x-client": "192.0.2.7",
  });
});

test("a body over 1 MiB is not shown to it and reaches the app", async () => {
  const body = "x".repeat(1024 * 1024 + 1);
  const { event: got } = await before(event("/from", { method: "POST", body }), fromFront, proof);
  assert.equal(got.headers["x-body"], "");
  assert.equal(got.body, body);
});

test("it runs where the routes say so, and once", async () => {
  const free = event("/free/redirect");
  assert.equal((await before(free, fromFront, proof)).event, free);
  const routed = event("/redirect");
  assert.equal((await before(routed, { ...fromFront, routed: true }, proof)).event, routed);
});

test("it shares nothing with the app", async () => {
  await before(event("/from"), fromFront, proof);
  assert.equal(globalThis.mark, undefined);
  assert.equal(process.env.OPEN_NEXT_ORIGIN, undefined);
});

test("another function answers what the middleware leads to it", async () => {
  seen.length = 0;
  const headers = { "x-forwarded-host": "shop.example", "content-length": "99", te: "trailers", "accept-encoding": "br" };
  const { relay } = await before(event("/to-api", { method: "PUT", query: "a=b", cookies: ["c=d"], headers, body: "é" }), fromFront, proof);
  const stream = new Stream();
  await relay(stream);
  assert.deepEqual(stream.answer, {
    statusCode: 206, headers: { "content-type": "text/plain", "content-encoding": "br" }, cookies: ["a=1", "b=2"], body: "onetwo",
  });
  const [{ headers: got, ...rest }] = seen;
  assert.deepEqual(rest, { url: "/api/x?a=b", method: "PUT", body: "é" });
  const { connection, ...own } = got;
  assert.deepEqual(own, {
    host: "api.on.aws", "x-forwarded-host": "shop.example", "content-length": "2", "accept-encoding": "br", cookie: "c=d",
    "x-set": "by middleware", "x-anchor-origin": "secret", "x-anchor-routed": "1", "x-anchor-distribution": "E1",
  });
});

test("an answer that breaks off does not look whole", async () => {
  const { relay } = await before(event("/to-api", { query: "cut" }), fromFront, proof);
  const stream = new Stream();
  await assert.rejects(relay(stream));
  assert.ok(stream.destroyed && !stream.writableFinished);
});

test("a file that the middleware leads to comes by CloudFront, which is told no secret", async () => {
  seen.length = 0;
  const headers = { "x-forwarded-host": "shop.example", range: "bytes=0-1", authorization: "x" };
  const { relay } = await before(event("/to-file", { headers, cookies: ["session=x"] }), fromFront, proof);
  await relay(new Stream());
  const [{ url, headers: { connection, ...got } }] = seen;
  assert.equal(url, "/a%20file.txt");
  assert.deepEqual(got, { host: "shop.example", range: "bytes=0-1", cookie: "__anchor_deployment=01" });
  const post = await before(event("/to-file", { method: "POST" }), fromFront, proof);
  assert.equal(post.event.rawPath, "/a%20file.txt");
});

test("what is not reached says so", async () => {
  for (const path of ["/to-api", "/to-file"]) {
    assert.equal((await before(event(path), direct, proof)).answer.statusCode, 421);
  }
  assert.equal((await before(event("/to-api2"), fromFront, proof)).answer.statusCode, 503);
});

test("a middleware that fails is Lambda's to report, and runs again", async () => {
  await assert.rejects(before(event("/fail"), fromFront, proof), /no way/);
  await assert.rejects(before(event("/odd"), fromFront, proof), /neither/);
  const gone = [before(event("/exit"), fromFront, proof), before(event("/exit"), fromFront, proof)];
  for (const result of await Promise.allSettled(gone)) assert.match(String(result.reason), /ended its process with 3/);
  assert.equal((await before(event("/redirect"), fromFront, proof)).answer.statusCode, 307);
});

test("a promise that it leaves to itself is told of and disturbs nobody", async (t) => {
  const lines = [];
  t.mock.method(console, "error", (line) => lines.push(line));
  assert.equal((await before(event("/adrift"), fromFront, proof)).event.rawPath, "/answered");
  assert.match(lines.join(), /^unhandled rejection: Error: nobody waits\n/);
});

test("what it prints is printed within its request", async (t) => {
  const requests = new AsyncLocalStorage();
  const lines = [];
  t.mock.method(console, "log", (...words) => lines.push([requests.getStore(), ...words]));
  await Promise.all(["/a", "/b"].map((path) => requests.run(path, () => before(event(path), fromFront, proof))));
  assert.deepEqual(lines.sort(), [["/a", "100%s sees GET /a"], ["/b", "100%s sees GET /b"]]);
});

test("a bundle that does not load is told at once", async () => {
  const load = (file, name) => middleware({ module: new URL(file, import.meta.url), name, ...routes }).ready;
  await assert.rejects(load("./testdata/nothing.mjs", "handler"), /nothing\.mjs/);
  await assert.rejects(load("./testdata/middleware/handler.mjs", "other"), /exports no other/);
});

test("paths lead to functions", () => {
  const to = router({ ...routes, base: "/docs" });
  for (const [method, path, name, guarded] of [
    ["GET", "/", "default", true], ["GET", "/api/x", "api", true], ["GET", "/%61pi/x", "api", true], ["GET", "/api", "default", true],
    ["GET", "/free/x", "default", false], ["GET", "/_next/image?x", "imageOptimizer", false], ["GET", "/a%20file.txt", "", false],
    ["HEAD", "/a%20file.txt", "", false], ["POST", "/a%20file.txt", "default", true], ["GET", "/docs/_next/static/x.js", "", false],
    ["GET", "/_next/static/x.js", "default", true], ["GET", "/%", "default", true],
  ]) assert.deepEqual([to(method, path).name, to(method, path).guarded], [name, guarded], `${method} ${path}`);
  for (const [pattern, path, want] of [
    ["/a?c", "/abc", true], ["/a?c", "/abbc", false], ["/one*two*three", "/one-two-two-three", true], ["/one*two*three", "/one-two-four", false],
    ["/x*", "/x", true], ["/x", "/xy", false], ["/*", "/x\ny", true], [`/${"*a".repeat(20)}b`, `/${"a".repeat(5000)}`, false],
  ]) assert.equal(matches(pattern, path), want, `${pattern} ${path}`);
});
