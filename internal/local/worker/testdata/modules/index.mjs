// Answers what its CommonJS modules see. That must not depend on how they were compiled.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const facts = require("./facts.cjs");
console.log("the bundle is imported");

export async function handler(event) {
  const query = new URLSearchParams(event.rawQueryString);
  for (const end = performance.now() + Number(query.get("burn")); performance.now() < end; );
  const answer = { facts: await facts(), word: require("./word.cjs")() };
  if (query.has("write")) answer.written = attempt(() => fs.writeFileSync(query.get("write"), "x"));
  if (query.has("remove")) answer.removed = attempt(() => fs.rmSync(query.get("remove")));
  return { statusCode: 200, headers: {}, cookies: [], body: JSON.stringify(answer), isBase64Encoded: false };
}

function attempt(what) {
  try {
    what();
    return "done";
  } catch (err) {
    return err.code;
  }
}

const forge = process.env.FORGE;
if (forge === "exit") process.exit(3);
if (forge) {
  try {
    fs.writeSync(5, forge);
  } catch {} // only a process that compiles has it
}
