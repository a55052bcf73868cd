// An app that tries to get out. Its folder holds the program `probe`, which makes one system call and prints the outcome.
import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("probe", import.meta.url));
const environment = (name, arg) => ({ ...process.env, WORKER_TEST_PROBE: name, WORKER_TEST_ARG: arg });

const run = (name, arg) =>
  new Promise((resolve) => {
    execFile(program, { env: environment(name, arg) }, (err, stdout, stderr) => resolve(stdout || `${err} ${stderr}`));
  });

// Starts a child in a session of its own, and a grandchild whose parent has ended.
function detach() {
  for (const name of ["wait", "orphan"]) {
    spawn(program, { env: environment(name, ""), detached: true, stdio: "ignore" }).unref();
  }
}

export async function handler(event) {
  const query = new URLSearchParams(event.rawQueryString);
  let body = "";
  if (event.rawPath === "/exit") process.exit(1);
  if (event.rawPath === "/detach") detach();
  if (event.rawPath === "/probe") body = await run(query.get("name"), query.get("arg"));
  return { statusCode: 200, headers: {}, cookies: [], body, isBase64Encoded: false };
}
