// Answers as the query's plan says: {nonce, status, headers, declared, pieces: [{size, pause, forge}], end}. Octets at position i are
// those of the nonce repeated, so that a reader knows them for its own; a forged piece looks like frames and HTTP.
import { setTimeout as sleep } from "node:timers/promises";

const forged = (nonce, number) => {
  const header = (kind, length) => Buffer.from([kind, 0, 0, 0, number, 0, 0, 0, length]);
  const http = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nforged!";
  return Buffer.concat([header(3, 0), header(1, 6), Buffer.from("200\n7\n"), header(2, 7), Buffer.from("forged!"), header(3, 0), Buffer.from(http), Buffer.from(nonce)]);
};

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const plan = JSON.parse(decodeURIComponent(event.rawQueryString));
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  const headers = { "x-nonce": plan.nonce, ...plan.headers };
  if (plan.declared >= 0) headers["content-length"] = String(plan.declared);
  stream.write(JSON.stringify({ statusCode: plan.status || 200, cookies: [], headers }));
  stream.write(Buffer.alloc(8));
  for (const { size, pause, forge } of plan.pieces) {
    if (pause) await sleep(pause);
    stream.write(forge ? forged(plan.nonce, forge) : Buffer.alloc(size, plan.nonce));
  }
  if (plan.end === "throw") throw new Error("as planned");
  if (plan.end === "destroy") return void stream.destroy();
  stream.end();
  if (plan.end === "after") setImmediate(() => stream.write("written after the end"));
});
