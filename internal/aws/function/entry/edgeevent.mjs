// Converts between the events and results of a function URL (payload format 2.0) and those of a
// CloudFront request event, for which external middleware is compiled.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html

const MAX_BODY = 1024 * 1024; // how much of a body CloudFront would show
const ORIGIN = "origin.anchor.invalid"; // stands for what the functions' routes choose

// The headers that OpenNext's aws-cloudfront converter always omits, because CloudFront would not
// let a function set them. When one is missing, the app need not have removed it.
const LOST = /^(?:connection|expect|keep-alive|proxy-.*|trailer|upgrade|x-cache|x-forwarded-proto|x-real-ip|x-amz-cf-.*|x-amzn-.*|x-edge-.*|x-accel-.*)$/;

const own = (headers = {}) => Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);

function shown({ body, isBase64Encoded }) {
  if (!body) return undefined;
  const data = Buffer.from(body, isBase64Encoded ? "base64" : "utf8");
  return data.length <= MAX_BODY ? { data: data.toString("base64"), encoding: "base64" } : undefined;
}

// Returns the event that the middleware takes. In it, the request's host is the one that the
// visitor asked for.
export function edgeEvent(event) {
  const headers = Object.fromEntries(own(event.headers).map(([key, value]) => [key, [{ key, value }]]));
  const [{ value: host }] = headers["x-forwarded-host"] ?? headers.host ?? [{ value: event.requestContext.domainName ?? "" }];
  headers.host = [{ key: "host", value: host }];
  if (event.cookies?.length) headers.cookie = [{ key: "cookie", value: event.cookies.join("; ") }];
  const { method, sourceIp } = event.requestContext.http;
  const request = {
    clientIp: sourceIp, method, uri: event.rawPath, querystring: event.rawQueryString ?? "", headers, body: shown(event),
    origin: { custom: { domainName: ORIGIN } },
  };
  return { Records: [{ cf: { request } }] };
}

const joined = (headers = {}) => Object.entries(headers).map(([name, values]) =>
  [name.toLowerCase(), values.map(({ value }) => value).join(name.toLowerCase() === "cookie" ? "; " : ",")]);

// Returns the middleware's result for an event: {answer} when it answers itself, or {event} to
// continue with.
export function outcome(result, event) {
  if (result?.status) return { answer: answered(result, event) };
  if (!result?.uri?.startsWith("/")) throw new Error("the middleware answered neither with a response nor with a request");
  return { event: continued(result, event) };
}

function answered({ status, headers, body, bodyEncoding }, event) {
  const statusCode = Number(status);
  if (!(statusCode >= 200 && statusCode <= 999)) throw new Error(`the middleware answered with the status ${JSON.stringify(status)}`);
  const { "set-cookie": cookies = [], ...rest } = headers ?? {};
  const empty = event.requestContext.http.method === "HEAD";
  return {
    statusCode, headers: Object.fromEntries(joined(rest)), cookies: cookies.map(({ value }) => value),
    body: empty ? "" : body, isBase64Encoded: bodyEncoding === "base64",
  };
}

function continued({ method, uri, querystring = "", headers }, event) {
  const kept = own(event.headers).filter(([name]) => name === "host" || LOST.test(name));
  const { cookie = "", ...rest } = { ...Object.fromEntries(joined(headers)), ...Object.fromEntries(kept) };
  const { http } = event.requestContext;
  return {
    ...event, rawPath: uri, rawQueryString: querystring, headers: rest, cookies: cookie.split(/;\s*/).filter(Boolean),
    requestContext: { ...event.requestContext, http: { ...http, method: method ?? http.method, path: uri } },
  };
}
