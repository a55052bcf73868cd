// An image function: not streamed, the answer is what the handler returns.
export const handler = async (event) => ({
  statusCode: 200,
  headers: { "content-type": "text/plain", "cache-control": "no-store" },
  body: `VERSION ${event.queryStringParameters.url} ${event.queryStringParameters.w}`,
  isBase64Encoded: false,
});
