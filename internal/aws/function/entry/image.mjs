// Completes the answers of OpenNext's image function with what `next start` adds
// (next/dist/server/image-optimizer.js): the headers that keep an SVG from running scripts, and
// the status of errors that Next.js throws, which OpenNext logs and answers with 500.
import { AsyncLocalStorage } from "node:async_hooks";
import { types } from "node:util";

const failure = new AsyncLocalStorage();
const LOGGED = "Failed to optimize image"; // adapters/image-optimization-adapter.js
const MISSING = new Set(["NoSuchKey", "AccessDenied"]); // S3 sends the second when the caller may not list the bucket
const EXTENSIONS = { "svg+xml": "svg", "x-icon": "ico" };

// {policy, disposition}, in the image function's environment only.
const headers = JSON.parse(process.env.ANCHOR_IMAGE_HEADERS ?? "null");

// Returns the image function's handler with its answers completed, and any other handler
// unchanged.
export function completeImages(app, own = headers) {
  if (!own) return app;
  noteErrors();
  return (event, context) =>
    failure.run({}, async () => {
      const result = await app(event, context);
      const source = new URLSearchParams(event.rawQueryString ?? "").get("url") ?? "";
      return result?.statusCode === 200 ? dressed(result, source, own) : failed(result, failure.getStore());
    });
}

function dressed(result, source, { policy, disposition }) {
  const type = Object.entries(result.headers ?? {}).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  const [, kind] = /^image\/([\w+.-]+)/.exec(type) ?? [];
  const stem = source.split(/[?#]/)[0].split("/").pop().replace(/\.[^.]*$/, "");
  const name = encodeURIComponent(kind ? `${stem}.${EXTENSIONS[kind] ?? kind}` : stem).replace(/['()*]/g, escape);
  const added = { "content-security-policy": policy, "content-disposition": `${disposition}; filename*=UTF-8''${name}` };
  return { ...result, headers: { ...result.headers, ...added } };
}

function failed(result, { status, message }) {
  return result?.statusCode === 500 && status ? { ...result, statusCode: status, body: message, isBase64Encoded: false } : result;
}

function noteErrors() {
  const { error } = console;
  console.error = function (text, thrown) {
    const store = failure.getStore();
    if (store && types.isNativeError(thrown)) note(store, text, thrown);
    return error.apply(this, arguments);
  };
}

// Next.js turns the loader's error into an ImageError of 500, so the first one counts.
function note(store, text, thrown) {
  if (store.status) return;
  const { statusCode, message } = thrown;
  if (text === "Failed to download image" && MISSING.has(thrown.name)) {
    Object.assign(store, { status: 404, message: '"url" parameter is valid but internal response is invalid' });
  } else if (text === LOGGED && Number.isInteger(statusCode) && statusCode >= 400 && statusCode <= 599) {
    Object.assign(store, { status: statusCode, message });
  }
}
