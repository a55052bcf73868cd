// The format of Lambda's response stream.
const INTEGRATION = "application/vnd.awslambda.http-integration-response";

// Begins an answer. It writes the prelude even when there is no body, because Lambda waits for
// the first byte of an answer.
export function begin(stream, { statusCode, headers = {}, cookies = [] }) {
  stream.setContentType(INTEGRATION);
  stream.write(JSON.stringify({ statusCode, headers, cookies }));
  stream.write(Buffer.alloc(8));
}

// Sends a buffered answer (payload format 2.0).
export function send(stream, result) {
  if (result === null || typeof result !== "object" || result.statusCode === undefined) {
    const body = typeof result === "string" ? result : JSON.stringify(result ?? null);
    result = { statusCode: 200, headers: { "content-type": "application/json" }, body };
  }
  begin(stream, result);
  stream.end(Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8"));
}
