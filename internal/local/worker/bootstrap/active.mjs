// The requests under way. While there are some, and for a while after, the process sends signs of
// life several times a second: when they stop, the supervisor sends new requests elsewhere. An idle
// process is not woken for that.
import { performance } from "node:perf_hooks";
import { send } from "./log.mjs";
import { beginMeasuring, endMeasuring, reportVitals } from "./vitals.mjs";

// The supervisor stops expecting them sooner (calmAfter), so that it never waits for signs that do
// not come.
const LINGER_MS = 6000;

export class Active extends Set {
  #period; // milliseconds between two signs
  #timer;
  #before; // the utilization of the event loop at the last sign
  #idle = 0; // periods in a row without a request

  constructor(period) {
    super();
    this.#period = period;
  }

  add(request) {
    if (!this.#timer) this.#begin();
    return super.add(request);
  }

  #begin() {
    this.#idle = 0;
    send({ alive: true });
    this.#before = performance.eventLoopUtilization();
    beginMeasuring();
    this.#timer = setInterval(() => this.#beat(), this.#period).unref();
  }

  #beat() {
    const now = performance.eventLoopUtilization();
    send({ alive: true, load: performance.eventLoopUtilization(now, this.#before).utilization });
    this.#before = now;
    reportVitals();
    this.#idle = this.size > 0 ? 0 : this.#idle + 1;
    if (this.#idle * this.#period <= LINGER_MS) return;
    clearInterval(this.#timer);
    endMeasuring();
    this.#timer = undefined;
  }
}
