// Runs one unmodified OpenNext bundle behind an inherited Unix socket. fd 0: carries stop, and
// closes when the supervisor dies. fd 3: the listening socket. fd 4: log lines and signs of life. fd 5: in
// a process that only compiles, what it has compiled.
import fs from "node:fs";
import net from "node:net";
import { pathToFileURL } from "node:url";
import { noteResponses } from "./abort.mjs";
import { Active } from "./active.mjs";
import { redirectAWS } from "./aws.mjs";
import { passesBuffers, streamMarkedBodies } from "./body.mjs";
import { admitEdgeBundles } from "./edge.mjs";
import { recordCompiled, useCompiled } from "./compiled.mjs";
import { Connection } from "./exchange.mjs";
import { beginServing, exit, interceptExits } from "./exit.mjs";
import { nameFiles } from "./files.mjs";
import { withImageErrors } from "./image.mjs";
import { readOwnWrites } from "./incremental.mjs";
import { Invocation, STREAMING } from "./invocation.mjs";
import { resolveLocalhost, speakPlainLocalhost } from "./localhost.mjs";
import { captureConsole, log, send } from "./log.mjs";
import { serveRevalidate } from "./revalidate.mjs";
import { repairRewrites } from "./rewrite.mjs";
import { describe, surviveExceptions } from "./uncaught.mjs";

const SOCKET_FD = 3;
const COMPILED_FD = 5;
const { module: modulePath, handler: exportName, name, pulse, busyPulse, mark, compiled, compiles, ownTmp } = JSON.parse(process.env.ANCHOR_WORKER);
delete process.env.ANCHOR_WORKER;
process.argv[1] = modulePath;

const active = new Active(busyPulse);
let stopping = false;

captureConsole();
obeySupervisor();
streamMarkedBodies();
serveRevalidate();
redirectAWS(modulePath);
readOwnWrites();
resolveLocalhost();
speakPlainLocalhost();
repairRewrites();
noteResponses();
nameFiles(mark);
surviveExceptions();
interceptExits(() => stopping && active.size === 0);

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: "response" }),
  HttpResponseStream: {
    from: (stream, prelude) => {
      stream.setPrelude(prelude);
      return stream;
    },
  },
};

const writeCompiled = compiles && recordCompiled(fs.realpathSync(compiles), ownTmp);
const loaded = useCompiled(compiled, ownTmp);

const app = { name, handler: withImageErrors(await load()), canStream: passesBuffers(modulePath) };
loaded();
const server = net.createServer((socket) => new Connection(socket, serve));
server.listen({ fd: SOCKET_FD, backlog: 4096 }, () => {
  send({ alive: true });
  setInterval(() => send({ alive: true }), pulse).unref();
});
beginServing();

async function load() {
  try {
    admitEdgeBundles(modulePath);
    const imported = await import(pathToFileURL(modulePath));
    const handler = imported[exportName] ?? imported.default?.[exportName];
    if (typeof handler !== "function") throw new Error(`${modulePath} exports no function named ${exportName}`);
    return handler;
  } catch (err) {
    log("error", `cannot load the bundle: ${describe(err)}`);
    process.exit(1);
  }
}

function serve(request, reply) {
  const invocation = new Invocation(request, reply, app);
  active.add(invocation);
  Promise.all([reply.closed, invocation.run()]).then(() => {
    active.delete(invocation);
    if (writeCompiled && active.size === 0) writeCompiled(COMPILED_FD);
    if (stopping && active.size === 0) process.exit(0);
  });
}

// The supervisor sends no more requests. Background work that continues after its response
// (after(), waitUntil) is part of an invocation and is waited for.
function stop() {
  stopping = true;
  if (active.size === 0) process.exit(0);
}

// Stops when the supervisor says so, and dies with it. Then the whole process group is killed, so
// that nothing the app has spawned stays behind.
function obeySupervisor() {
  const die = () => {
    try {
      process.kill(-process.pid, "SIGKILL");
    } finally {
      exit(1);
    }
  };
  // Unreferenced: an import that can never settle must end the process, and this must not keep it
  // waiting.
  process.stdin.on("data", stop).on("end", die).on("error", die).unref();
}
