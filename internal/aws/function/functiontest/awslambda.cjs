// What functions meet on Lambda and not on MiniStack.
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { syncBuiltinESMExports } = require("node:module");
const { Writable } = require("node:stream");
const { finished } = require("node:stream/promises");

// Lambda's Node.js runtime has the global awslambda for streaming handlers. There handlers are called as (event, context)
// and answer a function URL with prelude, eight NUL bytes and body as one text.

const NULS = "\0".repeat(8);
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

class ResponseStream extends Writable {
  chunks = [];
  setContentType() {}
  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    done();
  }
}

async function gather(handler, event, context) {
  const stream = new ResponseStream();
  const ended = finished(stream);
  ended.catch(() => {}); // reported below
  await handler(event, stream, context);
  await ended;
  return withCookies(Buffer.concat(stream.chunks).toString());
}

// MiniStack drops the cookies of a streamed answer; its headers it sends on.
function withCookies(answer) {
  const [prelude, ...body] = answer.split(NULS);
  const { cookies = [], headers, ...rest } = body.length > 0 ? JSON.parse(prelude) : {};
  if (cookies.length === 0) return answer;
  const set = cookies.length === 1 ? cookies[0] : cookies;
  return [JSON.stringify({ ...rest, headers: { ...headers, "set-cookie": set } }), ...body].join(NULS);
}

globalThis.awslambda = {
  streamifyResponse(handler) {
    const either = (event, second, third) => (second instanceof Writable ? handler(event, second, third) : gather(handler, event, second));
    either[STREAMING] = "response";
    return either;
  },
};

// Functions reach each other and their site by names that nobody resolves here, and by TLS that nobody speaks.
const { request } = https;

function standIn(host) {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  if (!endpoint) return undefined;
  if (host.includes(".lambda-url.")) return endpoint;
  const front = path.join(__dirname, `front-${new URL(endpoint).port}`);
  return host.endsWith(".cloudfront.net") && fs.existsSync(front) ? fs.readFileSync(front, "utf8") : undefined;
}

https.request = (url, options, done) => {
  const asked = URL.canParse(url) && new URL(url);
  const to = asked && standIn(asked.hostname);
  if (!to) return request(url, options, done);
  return http.request(new URL(asked.pathname + asked.search, to), { ...options, headers: { ...options.headers, host: asked.host } }, done);
};
syncBuiltinESMExports();

// OpenNext's "-lite" overrides call AWS by its real names.
const { fetch } = globalThis;
globalThis.fetch = (input, init) => {
  const asked = new URL(typeof input === "string" ? input : (input.url ?? input));
  const [, bucket, service] = /^(?:(.+)\.)?(s3|dynamodb|sqs)\.[a-z0-9-]+\.amazonaws\.com$/.exec(asked.hostname) ?? [];
  if (!service || !process.env.AWS_ENDPOINT_URL) return fetch(input, init);
  const to = new URL((bucket ? `/${bucket}` : "") + asked.pathname + asked.search, process.env.AWS_ENDPOINT_URL);
  return fetch(input instanceof Request ? new Request(to, input) : to, init);
};
