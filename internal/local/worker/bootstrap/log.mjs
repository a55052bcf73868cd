// Console output as JSON lines on the control pipe, each with its level and the request it belongs
// to.
import fs from "node:fs";
import { AsyncLocalStorage } from "node:async_hooks";
import { Console } from "node:console";

const CONTROL_FD = 4;
const MAX_TEXT = 64 * 1024;

// The Invocation that is being answered, or undefined outside of any request.
export const current = new AsyncLocalStorage();

// The pipe is written synchronously: an app's log lines just before its death must not be lost.
export function send(record) {
  writeAll(CONTROL_FD, Buffer.from(JSON.stringify(record) + "\n"));
}

export function writeAll(fd, data) {
  for (let sent = 0; sent < data.length; ) {
    try {
      sent += fs.writeSync(fd, data, sent);
    } catch (err) {
      if (err.code !== "EAGAIN") return; // the supervisor is gone, and so will this process be
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

export function log(level, text, id = current.getStore()?.id, path = current.getStore()?.path) {
  if (text.length > MAX_TEXT) {
    text = `${text.slice(0, MAX_TEXT)} … [${text.length - MAX_TEXT} more characters]`;
  }
  send({ log: text, level, id, path, time: Date.now() });
}

const LEVELS = { log: "info", info: "info", debug: "debug", warn: "warn", error: "error", trace: "error" };
const OTHERS = ["dir", "dirxml", "table", "group", "groupCollapsed", "groupEnd", "count", "countReset", "time", "timeLog", "timeEnd", "assert"];

export function captureConsole() {
  const sinkFor = (level) => ({
    write: (text) => (log(level, text.replace(/\n$/, "")), true),
    on() {},
    once() {},
    removeListener() {},
    listenerCount: () => 0,
  });
  const consoleFor = (level) => new Console({ stdout: sinkFor(level), stderr: sinkFor(level), colorMode: false });
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = consoleFor(level)[method];
  }
  const rest = consoleFor("info");
  for (const method of OTHERS) console[method] = rest[method];
}
