// A function as Lambda runs it with response streaming: a JSON prelude, eight NUL
// bytes, the body (Lambda's developer guide, "Response streaming").
const version = "VERSION";
const base = "BASEPATH";
const started = Date.now();

const pages = {
  "/": () => version,
  "/greeting": () => process.env.GREETING ?? "",
  "/api/name": (event) => `${version} ${event.requestContext.http.method}`,
  "/api/runs": (event) => `${version} ${event.headers["x-runs"]} ${event.headers["x-forwarded-host"]}`,
  "/host": (event) => event.headers["x-forwarded-host"] ?? "",
  "/secrets": (event) => Object.keys(event.headers).filter((name) => name.startsWith("x-anchor-origin")).join(),
  "/cron": cron,
  "/api/cron": cron,
  // Whether the process began after the request was sent, which x-asked says in Unix milliseconds.
  "/start": (event) => (started >= Number(event.headers["x-asked"]) ? "cold" : "warm"),
  "/tagged": tagged,
  "/revalidate": revalidate,
};

// cron answers the scheduler, which names the version that it expects, and nobody else.
function cron({ headers, rawQueryString }) {
  const { authorization, "user-agent": agent, "x-request-id": id, "x-forwarded-host": host } = headers;
  const known = authorization === `Bearer ${process.env.CRON_SECRET}` && agent === "anchor-cron/1.0" && id && host?.includes("cloudfront");
  return known && rawQueryString === `version=${version}` ? "ran" : undefined;
}

// dynamo calls the deployment's tag table as OpenNext's dynamodb-lite does, with a
// signature that proves nothing: whoever runs the function tells it by the key alone.
async function dynamo(operation, input) {
  const { env } = process;
  const aws = `https://dynamodb.${env.CACHE_BUCKET_REGION}.amazonaws.com`;
  const answer = await fetch(env.AWS_ENDPOINT_URL_DYNAMODB ?? env.AWS_ENDPOINT_URL ?? aws, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      authorization: `AWS4-HMAC-SHA256 Credential=${env.AWS_ACCESS_KEY_ID}/20260101/${env.CACHE_BUCKET_REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=00`,
    },
    body: JSON.stringify(input),
  });
  if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// tagged tells whether the page's tag was revalidated since the build.
async function tagged() {
  const { Items } = await dynamo("Query", {
    TableName: process.env.CACHE_DYNAMO_TABLE,
    IndexName: "revalidate",
    KeyConditionExpression: "#key = :key",
    ExpressionAttributeNames: { "#key": "path" },
    ExpressionAttributeValues: { ":key": { S: "build/tagged" } },
  });
  return Items.map((row) => (Number(row.revalidatedAt.N) > 1 ? "stale" : "fresh")).join();
}

// revalidate marks every page of the tag.
async function revalidate() {
  const TableName = process.env.CACHE_DYNAMO_TABLE;
  const { Items } = await dynamo("Query", {
    TableName,
    KeyConditionExpression: "#tag = :tag",
    ExpressionAttributeNames: { "#tag": "tag" },
    ExpressionAttributeValues: { ":tag": { S: "build/news" } },
  });
  const rows = Items.map(({ path, tag }) => ({ PutRequest: { Item: { path, tag, revalidatedAt: { N: `${Date.now()}` } } } }));
  await dynamo("BatchWriteItem", { RequestItems: { [TableName]: rows } });
  return `${rows.length} revalidated`;
}

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if ("type" in event) return stream.end(JSON.stringify({ type: event.type, serverId: String(started) })); // as OpenNext's wrapper answers its warmer
  const path = event.rawPath.startsWith(base) ? event.rawPath.slice(base.length) || "/" : "";
  if (path === "/crash") process.exit(1);
  const body = await pages[path]?.(event);
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  const statusCode = body !== undefined || path === "/slow" ? 200 : 404;
  stream.write(JSON.stringify({ statusCode, headers: { "content-type": "text/plain", "cache-control": "no-store" } }));
  stream.write(Buffer.alloc(8));
  if (path === "/slow") {
    stream.write("began\n");
    await new Promise((resolve) => setTimeout(resolve, 500));
    stream.end(version + " ended\n");
    return;
  }
  stream.end(body ?? "no page");
});
