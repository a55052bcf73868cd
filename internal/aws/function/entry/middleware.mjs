// Runs external middleware (OpenNext's middleware: { external: true }) before the app of every
// function whose routes have it. It is compiled for Lambda@Edge, which no alias moves; here it is
// part of each version.
import { AsyncLocalStorage } from "node:async_hooks";
import { Worker } from "node:worker_threads";
import { edgeEvent, outcome } from "./edgeevent.mjs";
import { relay } from "./relay.mjs";
import { router } from "./routes.mjs";

// Required by the bundle's origin resolver (pattern-env). Its choice is ignored, because the
// build's routes choose.
const OPEN_NEXT_ORIGIN = JSON.stringify({ default: { host: "default", protocol: "https", port: 443 } });

// A thread that runs the middleware until it fails.
class Thread {
  #pending = new Map(); // number of a request -> {resolve, reject, within}
  #worker;
  #last = 0;
  ended = false;

  constructor(module, name) {
    this.#worker = new Worker(new URL("./thread.mjs", import.meta.url), {
      workerData: { module: String(module), name }, env: { ...process.env, OPEN_NEXT_ORIGIN },
    });
    this.ready = this.#wait("ready");
    this.ready.catch(() => {}); // every caller gets the error
    this.#worker.on("message", (message) => this.#take(message));
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", (code) => this.#end(new Error(`the middleware ended its process with ${code}`)));
  }

  async ask(event) {
    await this.ready;
    const id = ++this.#last;
    const result = this.#wait(id);
    this.#worker.postMessage({ id, event });
    return result;
  }

  // While nobody waits, nothing here may keep the process alive.
  #wait(id) {
    this.#worker.ref();
    const within = AsyncLocalStorage.snapshot();
    const result = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject, within }));
    return result.finally(() => {
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#worker.unref();
    });
  }

  #take({ id, level, text, ready, result, failure }) {
    const waiting = this.#pending.get(ready ? "ready" : id);
    if (level) (waiting?.within ?? ((log) => log()))(() => console[level](text));
    else if (failure) waiting?.reject(new Error(`the middleware failed: ${failure}`));
    else waiting?.resolve(result);
  }

  #end(error) {
    this.ended = true;
    for (const { reject } of this.#pending.values()) reject(error);
  }
}

// Answers requests that need the deployment's hosts but lack them: only CloudFront sends them. For
// some seconds after a first release it may not know them yet.
function unreached({ distribution }) {
  const headers = { "content-type": "text/plain", "cache-control": "no-store" };
  if (distribution) return { answer: { statusCode: 503, headers: { ...headers, "retry-after": "5" }, body: "Service Unavailable\n" } };
  return { answer: { statusCode: 421, headers, body: "Misdirected Request\n" } };
}

// Returns what runs before an app. module is the URL of the bundle, name that of the export;
// routes are the build's, for router. The bundle is loaded at once, while the app loads; ready
// settles when it is.
export function middleware({ module, name, ...routes }) {
  let thread = new Thread(module, name);
  const route = router(routes);

  // Returns {event} for the app, {answer}, or {relay}, which answers a stream by another function
  // or CloudFront.
  async function before(event, request, proof) {
    const { method } = event.requestContext.http;
    const asked = route(method, event.rawPath);
    if (request.routed || !asked.guarded) return { event };
    if (thread.ended) thread = new Thread(module, name);
    const made = outcome(await thread.ask(edgeEvent(event)), event);
    if (made.answer) return made;
    const { name: target, guarded } = route(method, made.event.rawPath);
    if (target === asked.name) return made;
    return guarded ? toFunction(target, made.event, request, proof) : toFront(made.event, request);
  }

  return { ready: thread.ready, before };
}

const whole = ({ rawPath, rawQueryString, cookies, body, isBase64Encoded, headers, requestContext }) => ({
  path: rawPath + (rawQueryString ? `?${rawQueryString}` : ""),
  method: requestContext.http.method,
  headers: { ...headers, ...(cookies.length > 0 && { cookie: cookies.join("; ") }) },
  body: body && Buffer.from(body, isBase64Encoded ? "base64" : "utf8"),
});

// The other function has middleware too, which must not run again.
function toFunction(target, event, request, proof) {
  const { distribution, hosts } = request;
  const host = hosts[target];
  if (!host) return unreached(request);
  const { path, headers, ...rest } = whole(event);
  return { relay: (stream) => relay(stream, `https://${host}${path}`, {
    ...rest, headers: { ...headers, ...proof, "x-anchor-routed": "1", ...(distribution && { "x-anchor-distribution": distribution }) },
  }) };
}

// The headers by which files and images differ. The others are the middleware's and not sent to
// CloudFront.
const FILE = ["accept", "accept-encoding", "range", "if-range", "if-none-match", "if-modified-since", "user-agent"];

// No middleware runs before files and images. CloudFront serves them, those of the same
// deployment.
function toFront(event, request) {
  const { host, cookie } = request;
  if (!host) return unreached(request);
  const { path, method, headers } = whole(event);
  const own = Object.fromEntries(FILE.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]));
  return { relay: (stream) => relay(stream, `https://${host}${path}`, { method, headers: { ...own, ...(cookie && { cookie }) } }) };
}
