import assert from "node:assert/strict";
import test from "node:test";
import { install } from "./incremental.mjs";

// OpenNext's incremental cache on S3 (dist/overrides/incrementalCache/s3.js): JSON, and an age in whole seconds.
class Bucket {
  objects = new Map();
  name = "s3";
  async get(key, type) {
    const object = this.objects.get(`${key}.${type ?? "cache"}`);
    return object && { value: JSON.parse(object.body), lastModified: object.lastModified };
  }
  async set(key, value, type) {
    const lastModified = Math.floor(Date.now() / 1000) * 1000;
    this.objects.set(`${key}.${type ?? "cache"}`, { body: JSON.stringify(value), lastModified });
  }
  async delete(key) {
    this.objects.delete(`${key}.cache`);
  }
}

function installed(cache) {
  const scope = {};
  install(scope);
  scope.incrementalCache = cache;
  return scope.incrementalCache;
}

test("an entry that is stored in the second of a revalidation is newer than it", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_700_000_000_300 });
  const cache = installed(new Bucket());
  const revalidated = Date.now();
  t.mock.timers.tick(100);
  for (const type of [undefined, "fetch", "composable"]) {
    await cache.set("prices", { type: "app", html: "1" }, type);
    const { value, lastModified } = await cache.get("prices", type);
    assert.ok(lastModified > revalidated, `${type}: ${lastModified}`);
    assert.deepEqual(value, { type: "app", html: "1" });
  }
});

test("an entry whose tag is revalidated while S3 stores it is older than that", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_700_000_000_300 });
  const bucket = new Bucket();
  const { set } = bucket;
  bucket.set = async (...args) => (t.mock.timers.tick(1500), set.apply(bucket, args));
  const cache = installed(bucket);
  await cache.set("prices", { type: "app" });
  assert.equal((await cache.get("prices")).lastModified, 1_700_000_000_300);
});

test("what was not stored by a function has the age that S3 tells", async () => {
  const bucket = new Bucket();
  bucket.objects.set("seeded.cache", { body: '{"type":"page","html":"1"}', lastModified: 7000 });
  const cache = installed(bucket);
  assert.deepEqual(await cache.get("seeded"), { value: { type: "page", html: "1" }, lastModified: 7000 });
  assert.equal(await cache.get("missing"), undefined);
});

test("the rest of the port stays", async () => {
  const bucket = new Bucket();
  const cache = installed(bucket);
  await cache.set("a", {});
  await cache.delete("a");
  assert.equal(bucket.objects.size, 0);
  assert.equal(cache.name, "s3");
  assert.equal(installed(undefined), undefined);
});
