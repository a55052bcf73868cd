// A function as Lambda runs it with response streaming: a JSON prelude, eight NUL
// bytes, the body (Lambda's developer guide, "Response streaming").
const version = "VERSION";

const pages = {
  "/": [200, () => version],
  "/greeting": [200, () => process.env.GREETING ?? ""],
  "/broken": [500, () => "broken"],
};

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const path = event.rawPath;
  if (path === "/crash") process.exit(1);
  const [statusCode, body] = pages[path] ?? [path === "/slow" ? 200 : 404, () => "no page"];
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode, headers: { "content-type": "text/plain", "cache-control": "no-store" } }));
  stream.write(Buffer.alloc(8));
  if (path === "/slow") {
    stream.write("began\n");
    await new Promise((resolve) => setTimeout(resolve, 500));
    stream.end(version + " ended\n");
    return;
  }
  stream.end(body());
});
