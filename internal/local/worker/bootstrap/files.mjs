// Finds the static file that a request is for, once the app's headers, redirects, middleware and
// beforeFiles rewrites have run. OpenNext's routing asks an asset resolver there
// (core/routingHandler.js); the default one, `{ name: "dummy" }`, lacks the method. Inherited, the
// method serves the server's bundle and the external middleware's alike, and a resolver that the
// app configures has its own.
import fs from "node:fs";

const HEADER = "x-anchor-file";

// An escape of a character that a browser writes as it is (edge, spelledAs). A path with such an
// escape bypasses a middleware that compares it with "/private/". The edge writes the paths of
// files without them, but it knows no paths below a language.
const NEEDLESS_ESCAPE = /%(?:2[146-9a-e]|3[0-9abd]|4[0-9a-f]|5[0-9abdf]|6[1-9a-f]|7[0-9ae])/i;

export function nameFiles(mark) {
  const { basePath, locales, paths } = JSON.parse(fs.readFileSync(new URL("files.json", import.meta.url), "utf8"));
  if (!paths?.length) return;
  const files = new Set(paths);
  const hashed = `${basePath}/_next/static/`;

  // Returns the percent-decoded path of the file, or undefined.
  function find(rawPath) {
    if (/%2f|%5c/i.test(rawPath)) return undefined; // an encoded slash separates nothing
    let path;
    try {
      path = decodeURIComponent(rawPath).replace(/(?<=.)\/$/, "");
    } catch {
      return undefined;
    }
    // A browser may still ask for the hashed files of an earlier deployment: the edge knows which
    // exist.
    if (files.has(path) || path.startsWith(hashed)) return path;
    if (NEEDLESS_ESCAPE.test(rawPath)) return undefined;
    const locale = locales?.find((one) => path.startsWith(`${basePath}/${one}/`));
    const plain = locale && basePath + path.slice(basePath.length + 1 + locale.length);
    return files.has(plain) ? plain : undefined;
  }

  const maybeGetAssetResult = async (event) => {
    const path = find(event.rawPath);
    if (path === undefined) return undefined;
    const name = path.split("/").map(encodeURIComponent).join("/");
    const body = new ReadableStream({ start: (controller) => controller.close() });
    return { type: event.type, statusCode: 200, headers: { [HEADER]: `${mark} ${name}` }, body, isBase64Encoded: false };
  };
  Object.defineProperty(Object.prototype, "maybeGetAssetResult", { value: maybeGetAssetResult, writable: true, configurable: true });
}
