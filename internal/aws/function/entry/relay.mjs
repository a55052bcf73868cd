// Lets another server answer a request, and passes its answer on as it arrives.
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { begin } from "./answer.mjs";

const { request } = https; // the app may replace it

// These concern one connection (RFC 9110, section 7.6.1), or the path through AWS.
const HOP = /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|date|via|x-cache|x-amz-cf-.*|x-amzn-.*)$/;

const passing = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.test(name)));

function prelude({ statusCode, headers }) {
  const { "set-cookie": cookies = [], ...rest } = passing(headers);
  for (const [name, value] of Object.entries(rest)) rest[name] = String(value);
  return { statusCode, headers: rest, cookies };
}

// Sends a request to url and streams the answer. Each request has its own connection: one that
// was kept open while the function was frozen may be dead, and not every request may be sent
// twice.
export function relay(stream, url, { method, headers, body }) {
  return new Promise((resolve, reject) => {
    const { host, "content-length": _, ...own } = passing(headers);
    const length = body ? { "content-length": body.length } : {};
    request(url, { method, headers: { ...own, ...length }, agent: false }, (answer) => {
      begin(stream, prelude(answer));
      pipeline(answer, stream).then(resolve, reject);
    }).on("error", reject).end(body);
  });
}
