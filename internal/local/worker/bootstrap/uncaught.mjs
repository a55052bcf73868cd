// An exception that no code catches is the fault of one request, and many requests share this
// process. As under `next start`, it is logged and the process continues. An 'error' event without
// a listener is different: the stream is dead, and the request that waits for it would wait for
// ever, so that request ends with 502.
import { inspect } from "node:util";
import { Departure } from "./exit.mjs";
import { current, log } from "./log.mjs";

// A timer that throws at each tick must not fill the log: a burst is logged, then a few exceptions
// per second.
const BURST = 50;
const PER_SECOND = 5;

const LABELS = { uncaughtException: "uncaught exception", unhandledRejection: "unhandled rejection" };
const own = {
  uncaughtException: (err) => take("uncaughtException", err),
  unhandledRejection: (err) => take("unhandledRejection", err),
};

export function surviveExceptions() {
  // Libraries that find no other listener end the process themselves, so ours are real listeners.
  for (const [event, listener] of Object.entries(own)) process.on(event, listener);
  const { emit } = process;
  process.emit = function (event, ...args) {
    return Object.hasOwn(own, event) ? notify(event, args) : emit.call(this, event, ...args);
  };
}

// Calls every listener, ours included if the app has removed it. Node.js ends the process when a
// listener throws.
function notify(event, args) {
  const listeners = process.rawListeners(event);
  if (!listeners.includes(own[event])) listeners.unshift(own[event]);
  for (const listener of listeners) {
    try {
      listener.apply(process, args);
    } catch (err) {
      if (!isDeparture(err)) report(LABELS[event], err);
    }
  }
  return true;
}

function take(event, err) {
  if (isDeparture(err)) return; // logged where it was thrown
  report(LABELS[event], err);
  if (isErrorEvent(err)) current.getStore()?.fail(err, 502);
}

// err may be a proxy whose traps throw.
export function isDeparture(err) {
  try {
    return err instanceof Departure;
  } catch {
    return false;
  }
}

// Node.js marks an Error that it throws because an 'error' event had no listener with a symbol, and
// wraps other values. https://github.com/nodejs/node/blob/v20.x/lib/events.js,
// EventEmitter.prototype.emit
function isErrorEvent(err) {
  try {
    if (err?.code === "ERR_UNHANDLED_ERROR") return true;
    return err instanceof Error && Object.getOwnPropertySymbols(err).some((s) => s.description === "kEnhanceStackBeforeInspector");
  } catch {
    return false;
  }
}

// Returns err as text, whatever it is: its own methods and properties may throw.
export function describe(err) {
  try {
    return inspect(err);
  } catch {
    return "a value that cannot be printed";
  }
}

let allowance = BURST;
let refilled = performance.now();
let dropped = 0;

function report(label, err) {
  const now = performance.now();
  allowance = Math.min(BURST, allowance + ((now - refilled) / 1000) * PER_SECOND);
  refilled = now;
  if (allowance < 1) return drop();
  allowance--;
  log("error", `${label}: ${describe(err)}`);
}

function drop() {
  if (dropped++ > 0) return;
  const summarize = () => {
    log("error", `${dropped} more exceptions were not logged`, "");
    dropped = 0;
  };
  setTimeout(summarize, 1000).unref();
}
