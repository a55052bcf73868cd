import assert from "node:assert/strict";
import test from "node:test";
import { completeImages } from "./image.mjs";

const own = { policy: "sandbox;", disposition: "attachment" };
const asked = (url) => ({ rawQueryString: `url=${encodeURIComponent(url)}&w=64&q=75` });
const image = (type) => async () => ({ statusCode: 200, headers: { "Content-Type": type, Vary: "Accept" }, body: "AA==", isBase64Encoded: true });

const failing = (...logged) => async () => {
  for (const line of logged) console.error(...line);
  return { statusCode: 500, headers: {}, body: "Internal server error", isBase64Encoded: false };
};
const named = (name) => Object.assign(new Error(name), { name });
const imageError = (statusCode) => Object.assign(new Error(`status ${statusCode}`), { statusCode });

test("an image has the headers of next.config", async () => {
  for (const [url, type, name] of [
    ["/x.svg", "image/svg+xml", "x.svg"],
    ["/a/photo.png?v=2", "image/webp", "photo.webp"],
    ["https://cdn.example/b ü'(1).php", "image/avif", "b%20%C3%BC%27%281%29.avif"],
  ]) {
    const { headers, statusCode, body } = await completeImages(image(type), own)(asked(url));
    assert.deepEqual([statusCode, body, headers.Vary], [200, "AA==", "Accept"]);
    assert.equal(headers["content-security-policy"], "sandbox;");
    assert.equal(headers["content-disposition"], `attachment; filename*=UTF-8''${name}`);
  }
});

test("a failure has its status", async () => {
  const { error } = console;
  console.error = () => {};
  try {
    for (const [logged, status, body] of [
      [[["Failed to download image", named("NoSuchKey")], ["Failed to optimize image", imageError(500)]], 404, /internal response is invalid/],
      [[["Failed to download image", named("AccessDenied")]], 404, /internal response is invalid/],
      [[["Failed to download image", named("SlowDown")], ["Failed to optimize image", imageError(500)]], 500, /status 500/],
      [[["Failed to optimize image", imageError(508)]], 508, /status 508/],
      [[["Failed to optimize image", imageError(7)]], 500, /Internal/],
      [[["Failed to optimize image", new TypeError("fetch failed")]], 500, /Internal/],
      [[["something else", imageError(413)]], 500, /Internal/],
    ]) {
      const result = await completeImages(failing(...logged), own)(asked("/x.png"));
      assert.equal(result.statusCode, status);
      assert.match(result.body, body);
      assert.equal(result.headers["content-security-policy"], undefined);
    }
  } finally {
    console.error = error;
  }
});

test("any other function stays as it is", () => {
  const app = () => {};
  assert.equal(completeImages(app, null), app);
});
