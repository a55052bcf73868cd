// A server with the invalidation calls of CloudFront's API, for tests. It answers what the test
// sets.
import { createServer } from "node:http";

export async function fakeCloudFront(t) {
  const calls = [];
  const answers = []; // [status, error code]; 201 when there are none left
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    calls.push({
      path: request.url, signed: request.headers.authorization ?? "",
      paths: [...body.matchAll(/<Path>(.*?)<\/Path>/g)].map((m) => m[1]),
      quantity: Number(/<Quantity>(\d+)</.exec(body)?.[1]), reference: /<CallerReference>(.*?)</.exec(body)?.[1],
    });
    const [status, code] = answers.shift() ?? [201, ""];
    if (status === 0) return request.socket.destroy();
    response.writeHead(status, { "content-type": "text/xml" }).end(`<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address();
  Object.assign(process.env, { AWS_ENDPOINT_URL_CLOUDFRONT: `http://127.0.0.1:${port}`, AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret" });
  return { calls, answers, server };
}
