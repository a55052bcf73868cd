// What Lambda's own Node.js runtime offers to streaming handlers and MiniStack's does not: the global awslambda. There
// handlers are called as (event, context) and answer a function URL with prelude, eight NUL bytes and body as one text.
const { Writable } = require("node:stream");
const { finished } = require("node:stream/promises");

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

class ResponseStream extends Writable {
  chunks = [];
  setContentType() {}
  _write(chunk, _encoding, done) {
    this.chunks.push(chunk);
    done();
  }
}

async function gather(handler, event, context) {
  const stream = new ResponseStream();
  const ended = finished(stream);
  ended.catch(() => {}); // reported below
  await handler(event, stream, context);
  await ended;
  return Buffer.concat(stream.chunks).toString();
}

globalThis.awslambda = {
  streamifyResponse(handler) {
    const either = (event, second, third) => (second instanceof Writable ? handler(event, second, third) : gather(handler, event, second));
    either[STREAMING] = "response";
    return either;
  },
};
