// An image function: not streamed, the answer is what the handler returns.
export const handler = async (event) => {
  const query = new URLSearchParams(event.rawQueryString);
  return {
    statusCode: 200,
    headers: { "content-type": "text/plain", "cache-control": "no-store" },
    body: `VERSION ${query.get("url")} ${query.get("w")}`,
    isBase64Encoded: false,
  };
};
