// process.exit() would end every request in flight together with the one that called it. Here the
// process announces its end on the control pipe instead and continues to serve: the supervisor
// starts another process, sends no more requests to this one and sends stop when nothing is in
// flight. Only then does the process end, with the code passed to exit.
import { syncBuiltinESMExports } from "node:module";
import { current, log, send } from "./log.mjs";

export const exit = process.exit.bind(process); // at once
const abort = process.abort.bind(process);

let serving = false; // before that nothing depends on the process
let mayEnd; // whether the supervisor has sent stop and nothing is in flight
let ending = false;
let finish; // how the process will end, once that is announced

// process.exit() throws this, as it must not return to its caller.
export class Departure extends Error {
  name = "Departure";
}

// idle returns whether the process may end without harm.
export function interceptExits(idle) {
  mayEnd = idle;
  process.exit = (code) => depart(`process.exit(${code ?? ""})`, () => exit(code));
  process.abort = () => depart("process.abort()", abort);
  syncBuiltinESMExports();
  // A terminal and a service manager send these to every process below Anchor, which alone decides
  // when workers end.
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
}

// Called when the process starts to take requests.
export function beginServing() {
  serving = true;
  process.on("SIGTERM", () => announce("SIGTERM", () => exit(0)));
}

function depart(call, how) {
  if (!serving || ending || mayEnd()) {
    ending = true;
    return (finish ?? how)();
  }
  const departure = new Departure(`the app called ${call}; the process ends when its requests in flight have ended`);
  if (!finish || current.getStore()) log("error", departure.stack);
  announce(call, how);
  current.getStore()?.fail(departure, 502);
  throw departure;
}

function announce(why, how) {
  if (finish) return;
  finish = how;
  send({ leaving: why });
}
