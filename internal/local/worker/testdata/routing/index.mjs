// Asks for a file as OpenNext's routing does (core/routingHandler.js), with its default resolver
// (overrides/assetResolver/dummy.js).
const resolver = { name: "dummy" };

async function route(rawPath) {
  const found = await resolver?.maybeGetAssetResult?.({ type: "core", rawPath });
  if (!found) return undefined;
  const body = await new Response(found.body).text();
  return { ...found, headers: { ...found.headers, "x-rule": "1" }, body };
}

export const handler = async ({ rawPath, headers }) => {
  if (rawPath === "/forged") return { statusCode: 200, headers: { "x-anchor-file": headers["x-try"] }, body: "" };
  return (await route(rawPath)) ?? { statusCode: 404, headers: {}, body: "page" };
};

const entries = (headers) => Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, [{ key, value }]]));

export const middleware = async (event) => {
  const { uri, headers } = event.Records[0].cf.request;
  const result = uri === "/forged" ? { statusCode: 200, headers: { "x-anchor-file": headers["x-try"][0].value }, body: "" } : await route(uri);
  if (result) return { status: String(result.statusCode), headers: entries(result.headers), bodyEncoding: "text", body: result.body };
  return event.Records[0].cf.request;
};
