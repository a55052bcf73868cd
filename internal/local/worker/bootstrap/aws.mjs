// Requests of OpenNext's overrides to Anchor's bucket, table and queue are redirected to Anchor;
// every other call to AWS goes to AWS. The two differ by region: Anchor's is one that AWS cannot
// have (awswire.Region). The "-lite" overrides put it into the host name of a fetch. The others use
// the AWS SDK, which also signs for it, so that a request is recognized even where an
// AWS_ENDPOINT_URL of the app has changed its host.
import http from "node:http";
import https from "node:https";
import fs from "node:fs";
import path from "node:path";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
import { bodyOf } from "./body.mjs";
import { making } from "./incremental.mjs";

// ANCHOR_WIRE: {endpoint, region, buckets, key, secret}, or undefined in a process that has no
// cache.
const wire = process.env.ANCHOR_WIRE && JSON.parse(process.env.ANCHOR_WIRE);
delete process.env.ANCHOR_WIRE;

// The access key identifies the caller (awswire.accessKeyID); the signature is not checked.
const AUTHORIZATION = `AWS4-HMAC-SHA256 Credential=${wire?.key}/anchor`;

// Returns the fields that a redirected call has beside those of AWS: Anchor's authorization, and when
// the making of the entry began that the call writes (awswire.headerMade).
function ownFields() {
  const began = making.getStore();
  return { authorization: AUTHORIZATION, ...(began && { "x-anchor-made": String(began) }) };
}

// Sends the wire a JSON call that AWS does not have.
export function callAnchor(fetch, target, body) {
  return fetch(wire.endpoint, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `Anchor.${target}`, authorization: AUTHORIZATION },
    body: JSON.stringify(body),
  });
}

export const hasWire = Boolean(wire);

// modulePath, of the bundle, distinguishes OpenNext's code from the app's.
export function redirectAWS(modulePath) {
  globalThis.fetch = redirectedFetch(globalThis.fetch);
  if (!wire) return;
  const { request } = http;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  for (const module of [http, https]) module.request = redirectedRequest(module.request, request, agent);
  lendCredentials(openNextFiles(modulePath));
  syncBuiltinESMExports();
}

// Returns the path under which the wire answers for hostname and path: a bucket in the host name
// moves into it.
function wirePath(hostname, path) {
  const bucket = wire.buckets.find((name) => hostname.startsWith(`${name}.`));
  return bucket ? `/${bucket}${path}` : path;
}

const isOurHost = (hostname) => hostname.endsWith(`.${wire.region}.amazonaws.com`);

function redirectedFetch(fetch) {
  return function (input, init) {
    const upload = init && bodyOf(init.body);
    if (upload) init = { ...init, body: upload.web(), duplex: "half" };
    const url = typeof input === "string" ? input : (input?.url ?? String(input));
    const parsed = wire && url.includes(wire.region) && URL.canParse(url) ? new URL(url) : undefined;
    if (!parsed || !isOurHost(parsed.hostname)) return fetch.call(this, input, init);
    const target = wire.endpoint + wirePath(parsed.hostname, parsed.pathname) + parsed.search;
    const request = new Request(target, input instanceof Request ? input : undefined);
    const headers = new Headers(init?.headers ?? request.headers);
    for (const [name, value] of Object.entries(ownFields())) headers.set(name, value);
    return fetch.call(this, request, { ...init, headers });
  };
}

// The region that Signature Version 4 names: "AWS4-HMAC-SHA256
// Credential=<key>/<date>/<region>/<service>/aws4_request, …".
const SCOPE = /Credential=[^/,]*\/\d*\/([^/,]*)\//;

// The SDK's NodeHttpHandler calls request with one object of options and lower-case header names.
function redirectedRequest(request, plainRequest, agent) {
  return function (options, ...rest) {
    const authorization = options?.headers?.authorization;
    if (typeof authorization !== "string") return request.call(this, options, ...rest);
    const hostname = String(options.hostname ?? options.host ?? "");
    if (!isOurHost(hostname) && SCOPE.exec(authorization)?.[1] !== wire.region) return request.call(this, options, ...rest);
    const { hostname: host, port } = new URL(wire.endpoint);
    const headers = { ...options.headers, ...ownFields() };
    const led = { ...options, protocol: "http:", host, hostname: host, port, agent, headers, path: wirePath(hostname, options.path ?? "/") };
    return plainRequest.call(http, led, ...rest);
  };
}

// OpenNext's clients look for credentials as any AWS client does and fail without them. In the
// environment, Anchor's would replace what the app's own clients find elsewhere (a profile, a role,
// nothing). So only OpenNext's files read them there, and only where the app sets none. Any key
// will do for signing.
function lendCredentials(isOpenNext) {
  const env = process.env;
  const lent = (name) => {
    if (name === "AWS_PROFILE" || name === "AWS_CONFIG_FILE") return undefined; // would come before the key
    if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) return env[name];
    return { AWS_ACCESS_KEY_ID: wire.key, AWS_SECRET_ACCESS_KEY: wire.secret }[name];
  };
  const names = new Set(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE"]);
  const get = (target, name) => (names.has(name) && isOpenNext(readerOf(get)) ? lent(name) : target[name]);
  // An assignment to a proxy defines the property on its target, in a form that process.env
  // refuses.
  const set = (target, name, value) => ((target[name] = value), true);
  process.env = new Proxy(env, { get, set });
}

// Returns the file of the code that called the function trap.
function readerOf(trap) {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder = {};
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_, sites) => sites[0]?.getFileName();
    Error.captureStackTrace(holder, trap);
    return holder.stack;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

// The files that hold OpenNext's code: the handler's module, and the cache handlers of Next.js that
// OpenNext writes beside it.
const CACHES = ["cache.cjs", "composable-cache.cjs"];

// Returns a predicate for OpenNext's files. In a monorepo the handler's module only re-exports the
// one in the app's own folder, which contains .next; packages of the workspace belong to the app.
function openNextFiles(modulePath) {
  const root = path.dirname(fs.realpathSync(modulePath));
  const names = new Set([path.basename(modulePath), ...CACHES]);
  const known = new Map();
  return (file) => {
    if (!file) return false;
    if (!known.has(file)) {
      const name = file.startsWith("file:") ? fileURLToPath(file) : file;
      const folder = path.dirname(name);
      known.set(file, names.has(path.basename(name)) && (folder === root || fs.existsSync(path.join(folder, ".next"))));
    }
    return known.get(file);
  };
}
