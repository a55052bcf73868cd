// How the process fares: the delay of its event loop, garbage collection and memory. The delay is
// measured only while there are requests, because its timer would wake an idle process.
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { send } from "./log.mjs";

const RESOLUTION_MS = 20;
const REPORT_MS = 5000;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let collecting = 0; // seconds
let collections = 0;
let reported = -REPORT_MS; // when, in the time of performance.now()

new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    collecting += entry.duration / 1000;
    collections++;
  }
}).observe({ entryTypes: ["gc"] });

export function beginMeasuring() {
  delay.enable();
  reported = -REPORT_MS;
}

// Called often; reports every few seconds.
export function reportVitals() {
  if (performance.now() - reported >= REPORT_MS) report();
}

export function endMeasuring() {
  report();
  delay.disable();
}

function report() {
  reported = performance.now();
  // The histogram counts the time between two ticks of the timer, which is due every RESOLUTION_MS.
  const late = (ns) => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000);
  const seen = delay.count > 0;
  send({
    vitals: {
      p50: seen ? late(delay.percentile(50)) : 0,
      p99: seen ? late(delay.percentile(99)) : 0,
      max: seen ? late(delay.max) : 0,
      collecting,
      collections,
      heap: process.memoryUsage().heapUsed,
    },
  });
  delay.reset();
}
