import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";

// The site, behind https as with CloudFront. The modules keep the fetch of the time when they are
// loaded.
const asked = [];
let answer = [200, {}];
const site = createServer((request, response) => {
  if (answer === "dead") {
    answer = [200, {}];
    return request.socket.destroy();
  }
  asked.push({ method: request.method, url: request.url, headers: request.headers });
  const [status, headers] = answer;
  if (status === 308) answer = [200, {}];
  response.writeHead(status, headers).end();
});
await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
const host = `127.0.0.1:${site.address().port}`;
const real = globalThis.fetch;
globalThis.fetch = (url, options) => real(String(url).replace(/^https:/, "http:"), options);
const { current, received } = await import("./request.mjs");
const { handler, install: installInvalidation } = await import("./invalidation.mjs");
const { install } = await import("./revalidate.mjs");
globalThis.fetch = () => assert.fail("the app's fetch is asked");
const scope = {};
install(scope);
installInvalidation(scope);
const methods = nextServer(scope);
test.after(() => site.close());

// Does what Next.js' server does with each request (server/next-server.js).
function nextServer(scope) {
  const all = (scope[Symbol.for("@next/router-server-methods")] ??= {});
  if (!all["."]) all["."] = { render404() {} };
  all["."].isWrappedByNextServer = true;
  return all["."];
}

test("Next.js keeps what it sets itself", () => {
  assert.equal(typeof methods.render404, "function");
  assert.equal(methods.isWrappedByNextServer, true);
  assert.equal(nextServer(scope), methods);
});

const event = (headers) => received({ headers: { "x-anchor-distribution": "E1", "x-forwarded-host": host, "x-anchor-deployment": "d1", ...headers } });
const headers = { "x-prerender-revalidate": "preview-id" };
const ask = (request, opts = {}, urlPath = "/docs/guide/?x=1") =>
  current.run(request, () => methods.revalidate({ urlPath, revalidateHeaders: headers, opts }));

test("the page renders itself again for the deployment that asks, and CloudFront's copy is stale", async () => {
  for (const [status, sent] of [[200, {}], [404, { "x-nextjs-cache": "REVALIDATED" }]]) {
    answer = [status, sent];
    const request = event();
    await ask(request);
    const { method, url, headers } = asked.pop();
    assert.deepEqual([method, url], ["HEAD", "/docs/guide/?x=1"]);
    assert.equal(headers["x-prerender-revalidate"], "preview-id");
    assert.equal(headers["x-isr"], "1");
    assert.equal(headers.cookie, "__anchor_deployment=d1");
    assert.deepEqual([...request.stale], [["/docs/guide/", true]]);
  }
});

test("what the page answers is told", async () => {
  answer = [500, {}];
  const request = event();
  await assert.rejects(ask(request), /^Error: \/docs\/guide\/\?x=1 answered 500$/);
  assert.equal(request.stale.size, 0);
  answer = [404, {}];
  await assert.rejects(ask(event()), /answered 404/);
  await ask(event(), { unstable_onlyGenerated: true });
});

test("a connection that died while the function was frozen is not a failure", async () => {
  answer = "dead";
  await ask(event());
});

test("by the function's own URL it says why it cannot", async () => {
  await assert.rejects(ask(event({ "x-forwarded-host": "" })), /did not come by CloudFront/);
});

test("an invalidation that the app brings itself is asked", async () => {
  answer = [200, {}];
  const told = [];
  scope.cdnInvalidationHandler = { name: "fastly", invalidatePaths: async (all) => void told.push(...all) };
  const request = event();
  await ask(request);
  assert.equal(told[0].initialPath, "/docs/guide/");
  assert.equal(request.stale.size, 0);
  scope.cdnInvalidationHandler = { name: "dummy" };
  assert.equal(scope.cdnInvalidationHandler, handler);
});

test("a path without the slash that the site redirects to is revalidated under the other, and no other redirect is followed", async () => {
  for (const [path, location, stale] of [
    ["/docs/guide?x=1", "/docs/guide/?x=1", "/docs/guide/"],
    ["/docs/guide/", `https://${host}/docs/guide`, "/docs/guide"],
  ]) {
    answer = [308, { location }];
    const request = event();
    await ask(request, {}, path);
    assert.equal(asked.pop().url, location.replace(`https://${host}`, ""));
    assert.deepEqual([...request.stale], [[stale, true]]);
  }
  for (const location of ["/docs/other/", "https://elsewhere.example/docs/guide/", "/docs/guide", "http://["]) {
    answer = [308, { location }];
    await assert.rejects(ask(event(), {}, "/docs/guide"), /answered 308/);
  }
});
