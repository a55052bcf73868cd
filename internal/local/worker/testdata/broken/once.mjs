// Does not start while there is a mark, which the failed start removes.
import fs from "node:fs";
const mark = `${process.env.MARKS}/fail`;
if (fs.existsSync(mark)) {
  fs.rmSync(mark);
  throw new Error("not this time");
}
export const handler = async (event) => {
  if (event.requestContext.http.method === "POST") process.kill(process.pid, "SIGKILL");
  return { statusCode: 200, body: "ok" };
};
