// Runs external middleware in its own thread: the bundle sets the same names on globalThis as the
// server's does (openNextConfig, tagCache, fetch, …), and each must find its own.
import { AsyncLocalStorage } from "node:async_hooks";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { admitEdgeBundles } from "./edge.mjs";
import { install as installIncremental } from "./incremental.mjs";

const current = new AsyncLocalStorage(); // number of the request

// Lambda's console, which records a line's request and level, is that of the main thread.
for (const level of ["debug", "info", "log", "warn", "error"]) {
  console[level] = (...words) => parentPort.postMessage({ id: current.getStore(), level, text: format(...words) });
}

// A rejected promise that nobody awaits, such as a call that counts visits, would end the thread
// and with it other requests.
process.on("unhandledRejection", (reason) => console.error("unhandled rejection:", reason));

const { module, name } = workerData;
admitEdgeBundles(fileURLToPath(module));
installIncremental(); // for OpenNext's cache interception
const bundle = await import(module);
const handler = bundle[name] ?? bundle.default?.[name];
if (typeof handler !== "function") throw new Error(`the middleware exports no ${name}`);

parentPort.on("message", ({ id, event }) => current.run(id, async () => {
  try {
    parentPort.postMessage({ id, result: await handler(event, {}) });
  } catch (error) {
    parentPort.postMessage({ id, failure: String(error?.stack ?? error) });
  }
}));
parentPort.postMessage({ ready: true });
