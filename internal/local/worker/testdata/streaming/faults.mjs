// An app whose faults must cost nobody but the request that has them.
import { EventEmitter } from "node:events";
import fs from "node:fs";
import https from "node:https";
import { Readable } from "node:stream";
import zlib from "node:zlib";
import { streaming } from "../opennext.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const query = (req) => new URL(req.url, "http://x").searchParams;

const values = {
  error: () => new Error("really uncaught"),
  null: () => null,
  undefined: () => undefined,
  text: () => "only a text",
  frozen: () => Object.freeze(new Error("frozen")),
  hostile: () => ({ toString() { throw new Error("no text"); }, get stack() { throw new Error("no stack"); }, get code() { throw new Error("no code"); } }),
  proxy: () => new Proxy({}, { get() { throw new Error("no property"); }, getPrototypeOf() { throw new Error("no prototype"); } }),
};

const places = {
  timer: (err) => setTimeout(() => { throw err; }, 0),
  immediate: (err) => setImmediate(() => { throw err; }),
  tick: (err) => process.nextTick(() => { throw err; }),
  microtask: (err) => queueMicrotask(() => { throw err; }),
  promise: (err) => void Promise.reject(err),
  file: (err) => fs.stat("/", () => { throw err; }),
};

// The way of OpenNext to a rewrite's external host: dist/overrides/proxyExternalRequest/node.js, @opennextjs/aws 4.1.
const proxy = (url, method, headers) =>
  new Promise((resolve, reject) => {
    const req = https.request(url, { headers, method, rejectUnauthorized: false }, (answer) => {
      const coding = answer.headers["content-encoding"];
      const body = coding === "br" ? answer.pipe(zlib.createBrotliDecompress()) : coding === "gzip" ? answer.pipe(zlib.createGunzip()) : answer;
      resolve({ status: answer.statusCode, body: Readable.toWeb(body) });
      answer.on("error", reject);
    });
    req.end();
  });

const routes = {
  // The process table tells apart processes that have the same number, each in a table of its own.
  "/pid": ({ res }) => res.end(`${process.pid} ${fs.readlinkSync("/proc/self/ns/pid")}`),
  // Begins its answer, and ends it when the file of that name is there.
  "/slow": async ({ res, req }) => {
    res.write("begun ");
    while (!fs.existsSync(query(req).get("until"))) await sleep(10);
    res.end("whole");
  },
  "/wait": async ({ res, req }) => {
    while (!fs.existsSync(query(req).get("until"))) await sleep(10);
    res.end("waited");
  },
  "/background": async ({ res, req, waitUntil }) => {
    res.end("answered");
    waitUntil((async () => {
      while (!fs.existsSync(query(req).get("until"))) await sleep(10);
      console.log("background work done");
    })());
  },
  "/block": ({ res, req }) => {
    const end = query(req).get("until");
    console.log("blocked");
    while (!fs.existsSync(end));
    res.end("unblocked");
  },
  "/throw": async ({ res, req }) => {
    places[query(req).get("where")](values[query(req).get("what")]());
    await sleep(50);
    res.end("lives");
  },
  "/emit": ({ res, req }) => {
    if (query(req).has("begun")) res.write("begun");
    setTimeout(() => new EventEmitter().emit("error", values[query(req).get("what")]()), 20);
    return new Promise(() => {});
  },
  "/emit-after": ({ res, waitUntil }) => {
    res.end("answered");
    waitUntil(sleep(50).then(() => {
      setImmediate(() => new EventEmitter().emit("error", new Error("late stream")));
      return sleep(50).then(() => console.log("background work done"));
    }));
  },
  "/rewrite": async ({ res, req }) => {
    const { "accept-encoding": accepted, ...others } = req.headers;
    const socket = Object.fromEntries(Object.entries(others).filter(([name]) => name.startsWith("sec-websocket-")));
    const answer = await proxy(query(req).get("to"), req.method, accepted ? { ...socket, "accept-encoding": accepted } : socket);
    res.statusCode = answer.status;
    res.flushHeaders();
    for await (const chunk of answer.body) res.write(chunk);
    res.end();
  },
  "/handlers": ({ res }) => {
    process.removeAllListeners();
    process.on("uncaughtException", () => { throw new Error("the app's listener threw"); });
    process.on("uncaughtException", () => console.log("the app's second listener"));
    res.end("set");
  },
  "/handlers-exit": ({ res }) => {
    process.on("uncaughtException", () => process.exit(7));
    res.end("set");
  },
  "/storm": async ({ res }) => {
    for (let i = 0; i < 2000; i++) {
      setImmediate(() => { throw new Error("storm"); });
      if (i % 100 === 0) await sleep(1);
    }
    res.end("over");
  },
  "/exit": () => process.exit(7),
  "/exit-swallowed": async () => {
    try {
      process.exit(7);
    } catch {}
    await new Promise(() => {});
  },
  "/exit-timer": ({ res }) => (setTimeout(() => process.exit(7), 20), res.end("soon")),
  "/abort": () => process.abort(),
  "/kill": () => process.kill(process.pid, "SIGKILL"),
  "/buffers": ({ res }) => {
    const all = [];
    try {
      while (all.length < 400) all.push(Buffer.alloc(1 << 20, 1));
    } catch {
      return res.end("refused");
    }
    res.end("took 400 MiB");
  },
  "/memory": () => {
    const all = [];
    for (;;) all.push(new Array(1e5).fill({}));
  },
};

// A minified copy of the line by which the bootstrap knows that the converter takes Buffers, as in index.mjs:
// if(Buffer.isBuffer(t))return t;if(typeof t=="string")return Buffer.from(t,e?"base64":"utf8")
export const handler = await streaming((call) => routes[call.internal.rawPath](call));
