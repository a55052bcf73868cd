// What the test bundles answer, by path.
import http from "node:http";
import https from "node:https";
import { once } from "node:events";
import zlib from "node:zlib";

const MiB = 1024 * 1024;
const json = (res, value) => res.setHeader("content-type", "application/json").end(JSON.stringify(value));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const routes = {
  "/event": ({ res, event, context }) => {
    const { getRemainingTimeInMillis, awsRequestId, functionName } = context;
    json(res, { event, context: { awsRequestId, functionName, remaining: getRemainingTimeInMillis() > 0 } });
  },
  "/pid": ({ res }) => json(res, process.pid),
  "/env": ({ res }) => json(res, { env: process.env, argv: process.argv, cwd: process.cwd() }),
  "/cookies": ({ res }) => res.setHeader("set-cookie", ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2", "c=3"]).end("ok"),
  "/redirect": ({ res, req }) => {
    res.statusCode = 307;
    res.setHeader("location", JSON.parse(Buffer.from(new URL(req.url, "http://x").searchParams.get("to"), "base64url"))).end();
  },
  "/bad-header": ({ res }) => res.setHeader("x-name", "日本").end(),
  "/empty": ({ res }) => res.setHeader("x-empty", "1").end(),
  "/status": ({ res, req }) => {
    res.statusCode = Number(new URL(req.url, "http://x").searchParams.get("code"));
    res.setHeader("x-status", "set").end("body");
  },
  "/lengths": ({ res }) => res.setHeader("content-length", "5").end("hello"),
  // Answers the Accept-Encoding it sees, in pieces, itself compressed if the query asks for it.
  "/accepted": ({ res, req }) => {
    const accepted = JSON.stringify(req.headers["accept-encoding"] ?? null);
    res.setHeader("content-type", "application/json");
    if (new URL(req.url, "http://x").searchParams.has("gzip")) res.setHeader("content-encoding", "gzip").end(zlib.gzipSync(accepted));
    else res.write(accepted.slice(0, 2)), setImmediate(() => res.end(accepted.slice(2)));
  },
  "/hello": ({ res }) => res.setHeader("content-type", "text/plain").end("hello"),
  "/method": ({ res, req }) => res.setHeader("x-method", req.method).end(req.method),
  "/download": async ({ res, req }) => {
    res.setHeader("content-type", "application/octet-stream");
    const chunk = Buffer.alloc(64 * 1024, "x");
    const before = process.memoryUsage().rss;
    let peak = 0;
    const size = Number(new URL(req.url, "http://x").searchParams.get("mib")) * MiB;
    for (let sent = 0; sent < size; sent += chunk.length) {
      if (!res.write(chunk)) await once(res, "drain");
      peak = Math.max(peak, process.memoryUsage().rss - before);
    }
    console.log(`download grew by ${Math.round(peak / MiB)}`);
    res.end();
  },
  "/upload": async ({ res, req }) => {
    const before = process.memoryUsage().rss;
    let size = 0;
    let peak = 0;
    for await (const chunk of req) {
      size += chunk.length;
      peak = Math.max(peak, process.memoryUsage().rss - before);
    }
    json(res, { size, grewMiB: Math.round(peak / MiB), length: req.headers["content-length"] ?? null });
  },
  // Reads a line, answers it, and so on, all in one request.
  "/talk": async ({ res, req }) => {
    for await (const chunk of req) res.write(`got ${chunk}`);
    res.end();
  },
  "/proxy": async ({ internal, res, req }) => {
    const target = new URL(req.url, "http://x").searchParams.get("to");
    const { request } = target.startsWith("https:") ? https : http;
    const out = request(target, { method: internal.method, rejectUnauthorized: false });
    if (internal.body) out.write(internal.body);
    out.end();
    const [answer] = await once(out, "response");
    answer.pipe(res);
  },
  "/proxy-fetch": async ({ internal, res, req }) => {
    const target = new URL(req.url, "http://x").searchParams.get("to");
    const answer = await fetch(target, { method: internal.method, body: internal.body });
    res.end(await answer.text());
  },
  "/sse": ({ res }) => {
    res.setHeader("content-type", "text/event-stream");
    let n = 0;
    const timer = setInterval(() => res.write(`data: ${n++}\n\n`), 20);
    res.on("close", () => (clearInterval(timer), console.log("sse closed")));
    res.flushHeaders();
  },
  "/quiet": ({ res }) => (res.on("close", () => console.log("quiet closed")), res.flushHeaders()),
  "/hang": async ({ res }) => {
    console.log("hang began");
    await once(res, "close");
    console.log("hang ended");
  },
  "/gate": async ({ res }) => {
    console.log("gate waits");
    await once(process, "gate");
    res.end("through");
  },
  "/open": ({ res }) => (process.emit("gate"), res.end("opened")),
  "/after": ({ res, waitUntil }) => {
    res.end("answered");
    waitUntil(sleep(300).then(() => console.log("background work done")));
  },
  "/background-forever": ({ res, waitUntil }) => {
    setInterval(() => {}, 1000);
    waitUntil(new Promise(() => {}));
    res.end("answered");
  },
  "/spin": () => {
    for (;;);
  },
  "/crash": () => process.exit(7),
  "/crash-once": async ({ res }) => {
    const count = await (await fetch(process.env.COUNTER)).text();
    if (count !== "1") return res.end("second");
    process.kill(process.pid, "SIGKILL");
    await sleep(60_000);
  },
  "/cut": async ({ res }) => {
    res.write("half");
    await sleep(50);
    process.kill(process.pid, "SIGKILL");
  },
  "/throw": () => {
    throw new Error("the handler threw");
  },
  "/reject": ({ res }) => {
    Promise.reject(new Error("nobody caught this"));
    setTimeout(() => res.end("alive"), 20);
  },
  "/uncaught": () => setImmediate(() => { throw new Error("really uncaught"); }),
  "/log": async ({ res }) => {
    console.log("one %s", "argument");
    console.warn("careful");
    console.error(new Error("failing"));
    await sleep(5);
    console.debug("after await");
    process.stdout.write("raw out\n");
    process.stderr.write("raw err\n");
    console.log("x".repeat(3 * MiB));
    process.stdout.write("y".repeat(3 * MiB) + "\n");
    res.end("logged");
  },
};

export const app = (call) => (routes[call.internal.rawPath] ?? routes["/event"])(call);
