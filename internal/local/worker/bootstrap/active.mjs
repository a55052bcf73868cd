// The requests under way. While there are some, and for a while after, the process sends signs of
// life several times a second: when they stop, the supervisor sends new requests elsewhere. An idle
// process is not woken for that.
import { performance } from "node:perf_hooks";
import { send } from "./log.mjs";
import { beginMeasuring, endMeasuring, reportVitals } from "./vitals.mjs";

// The supervisor stops expecting them sooner (calmAfter), so that it never waits for signs that do
// not come.
const LINGER_MS = 6000;
// The supervisor bounds the requests of a process by its reports, so a crowd is reported sooner than a sign of life
// is due.
const LOOK_MS = 50;
const CROWD = 8; // new requests
const WORK = 0.5; // share of the time

export class Active extends Set {
  #period; // milliseconds between two signs
  #timer;
  #idleSince;
  #begun = 0; // requests since the last report
  #before; // the utilization of the event loop at the last report
  #reported; // when that was
  #looked; // when the timer ran last

  constructor(period) {
    super();
    this.#period = period;
  }

  add(request) {
    if (!this.#timer) this.#begin();
    this.#begun++;
    return super.add(request);
  }

  #begin() {
    send({ alive: true });
    this.#idleSince = this.#reported = this.#looked = performance.now();
    this.#before = performance.eventLoopUtilization();
    beginMeasuring();
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look() {
    const now = performance.now();
    const delay = Math.max(0, now - this.#looked - LOOK_MS);
    this.#looked = now;
    const used = performance.eventLoopUtilization(this.#before).utilization;
    if (this.#begun >= CROWD || used >= WORK || now - this.#reported >= this.#period - LOOK_MS / 2) this.#report(now, used, delay);
    if (this.size > 0) this.#idleSince = now;
    else if (now - this.#idleSince > LINGER_MS) this.#end();
  }

  #report(now, used, delay) {
    send({ alive: true, load: { used, span: now - this.#reported, delay } });
    this.#before = performance.eventLoopUtilization();
    this.#reported = now;
    this.#begun = 0;
    reportVitals();
  }

  #end() {
    clearInterval(this.#timer);
    endMeasuring();
    this.#timer = undefined;
  }
}
