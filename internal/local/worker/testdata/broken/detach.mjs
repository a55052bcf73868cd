import { spawn } from "node:child_process";
spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();
process.stdout.write(`${process.pid}\n`);
export const handler = () => {};
