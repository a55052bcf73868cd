// Bundles for the edge runtime (external middleware, edge functions) begin with `import * as
// process`, and Next.js assigns to that `process`. That works on Cloudflare, but in Node.js a
// module namespace is read-only and every request would fail. Importing the process object itself
// serves both. The file on disk is not changed; a load hook changes the text when it is loaded.
// https://nodejs.org/docs/latest-v20.x/api/module.html#loadurl-context-nextload
import fs from "node:fs";
import { register } from "node:module";

const NAMESPACE_IMPORT = /import\s*\*\s*as process from\s*"node:process"/g;

export function admitEdgeBundles(modulePath) {
  if (fs.readFileSync(modulePath, "utf8").search(NAMESPACE_IMPORT) >= 0) register(import.meta.url);
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (loaded.format !== "module" || !loaded.source) return loaded;
  return { ...loaded, source: loaded.source.toString().replace(NAMESPACE_IMPORT, 'import process from "node:process"') };
}
