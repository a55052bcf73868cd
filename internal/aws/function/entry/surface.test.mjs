import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { invalidationPaths, pathOf } from "./surface.mjs";

process.setMaxListeners(0); // one for each build

let builds = 0;

// Reads a build as a function does whose working folder it is.
async function surfaceOf({ routes = {}, middleware = {}, functions, files = true } = {}) {
  const home = mkdtempSync(path.join(tmpdir(), "anchor-surface-"));
  process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  const write = (name, content) => {
    const to = path.join(home, ".next", name);
    mkdirSync(path.dirname(to), { recursive: true });
    writeFileSync(to, typeof content === "string" ? content : JSON.stringify(content));
  };
  if (files) {
    write("BUILD_ID", "b1\n");
    write("routes-manifest.json", { basePath: "", rewrites: { beforeFiles: [], afterFiles: [], fallback: [] }, ...routes });
    write("server/middleware-manifest.json", { middleware });
    if (functions) write("server/functions-config-manifest.json", { functions });
  }
  process.chdir(home);
  const { surface } = await import(`./surface.mjs?${builds++}`);
  return surface();
}

const app = (...pages) => new Map(pages.map((page) => [page, false]));
const matchers = (...sources) => ({ "/": { matchers: sources.map((originalSource) => ({ originalSource })) } });

test("a page is named with its queries, and by few paths", async () => {
  const plain = await surfaceOf();
  for (const [pages, want] of [
    [app("/about"), ["/about*"]],
    [app("/"), ["/", "/?*"]],
    [app("/products/mug", "/products", "/cart"), ["/products*", "/cart*"]],
    [app("/größe", "/gr%C3%B6%C3%9Fe", "/100%"), ["/gr%C3%B6%C3%9Fe*", "/100%25*"]],
    [new Map([["/guide", true], ["/", true]]), ["/guide*", "/_next/data/b1/guide.json*", "/", "/?*", "/_next/data/b1/index.json*"]],
    [app(..."abcdefghij".split("").map((c) => `/${c}`)), "abcdefghij".split("").map((c) => `/${c}*`)],
    [app(..."abcdefghijk".split("").map((c) => `/${c}`)), ["/*"]],
  ]) assert.deepEqual(invalidationPaths(pages, plain), want);
});

test("below a base path, whether the app names it or not", async () => {
  const docs = await surfaceOf({ routes: { basePath: "/docs" } });
  assert.deepEqual(invalidationPaths(app("/guide", "/docs/guide/", "/docsy"), docs), ["/docs/guide*", "/docs/docsy*"]);
  assert.deepEqual(invalidationPaths(app("/"), docs), ["/docs", "/docs?*", "/docs/", "/docs/?*"]);
  assert.deepEqual(invalidationPaths(new Map([["/docs", true]]), docs), ["/docs", "/docs?*", "/docs/", "/docs/?*", "/docs/_next/data/b1/index.json*"]);
});

test("what a rewrite or middleware may show the page under goes too", async () => {
  const rewrites = {
    beforeFiles: [{ source: "/shop", destination: "/products" }],
    afterFiles: [{ source: "/:lang/was", destination: "/about/:lang" }, { source: "/blog/:path*", destination: "https://blog.example/:path*" }],
    fallback: [{ source: "/help/(.*)", destination: "/guide" }],
  };
  const rewriting = await surfaceOf({ routes: { rewrites } });
  assert.deepEqual(invalidationPaths(app("/products/mug"), rewriting), ["/products/mug*", "/shop*"]);
  assert.deepEqual(invalidationPaths(app("/guide"), rewriting), ["/guide*", "/help*"]);
  assert.deepEqual(invalidationPaths(app("/about/en"), rewriting), ["/*"]);
  assert.deepEqual(invalidationPaths(app("/cart"), rewriting), ["/cart*"]);

  const some = await surfaceOf({ routes: { basePath: "/docs" }, middleware: matchers("/ab", "/gate/:path*") });
  assert.deepEqual(invalidationPaths(app("/x"), some), ["/docs/x*", "/docs/ab*", "/docs/gate*"]);
  for (const sources of [["/((?!_next/static).*)"], ["/:path*"], ["/a", undefined]]) {
    const every = await surfaceOf({ middleware: matchers(...sources) });
    assert.deepEqual(invalidationPaths(app("/x"), every), ["/*"], sources.join());
  }
  const node = await surfaceOf({ functions: { "/_middleware": { matchers: [{ originalSource: "/:lang?/x" }] } } });
  assert.deepEqual(invalidationPaths(app("/x"), node), ["/*"]);
});

test("everything goes when languages share a page's key", async () => {
  const i18n = await surfaceOf({ routes: { i18n: { locales: ["en", "de"], defaultLocale: "en" } } });
  assert.deepEqual(invalidationPaths(app("/en/about"), i18n), ["/*"]);
});

test("a build that says nothing is not a surface", async () => {
  assert.equal(await surfaceOf({ files: false }), undefined);
});

test("a key is a path", () => {
  for (const [key, want] of [["about", "/about"], ["/about", "/about"], ["index", "/"], ["/index/index", "/index"], ["//x", "/x"]]) {
    assert.equal(pathOf(key), want);
  }
});
