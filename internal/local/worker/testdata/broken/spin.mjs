import fs from "node:fs";
fs.writeSync(1, `${process.pid}\n`);
for (;;);
