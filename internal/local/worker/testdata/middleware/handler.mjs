import * as process from "node:process";
// Answers like OpenNext's aws-cloudfront converter.
const entries = (headers) => Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, [].concat(value).map((v) => ({ key, value: v }))]));

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (process !== globalThis.process) process.env = globalThis.process.env; // as Next.js does in edge bundles
  const headers = Object.fromEntries(Object.entries(request.headers).map(([key, [{ value }]]) => [key, value]));
  console.log(`middleware sees ${request.method} ${request.uri}`);
  switch (request.uri) {
    case "/redirect":
      return { status: "307", headers: entries({ location: "/to", "set-cookie": ["a=1", "b=2"] }), bodyEncoding: "text", body: "" };
    case "/image":
      return { status: "200", headers: entries({ "content-type": "image/png" }), bodyEncoding: "base64", body: Buffer.from([1, 2, 255]).toString("base64") };
    case "/fail":
      throw new Error("middleware failed");
    case "/odd":
      return {};
  }
  delete headers["x-forwarded-proto"];
  delete headers["x-drop"];
  const body = Buffer.from(request.body?.data ?? "", "base64").toString();
  return {
    clientIp: request.clientIp,
    method: request.method,
    uri: "/rewritten/%C3%A9%2Fx",
    querystring: `was=${encodeURIComponent(request.uri)}&${request.querystring}`,
    headers: entries({ ...headers, host: "elsewhere", "x-opennext-initial-url": `https://${headers.host}${request.uri}`, "x-body": body, "x-client": request.clientIp }),
    origin: { custom: request.origin.custom },
  };
};
