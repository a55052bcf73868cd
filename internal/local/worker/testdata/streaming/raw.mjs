// Handlers that write to the response stream by hand, as the Lambda documentation shows it.
const prelude = JSON.stringify({ statusCode: 201, headers: { "x-a": "ä" }, cookies: ["k=1", "l=2"] });
const framed = Buffer.concat([Buffer.from(prelude), Buffer.alloc(8), Buffer.from("body")]);

const write = {
  bytes: async (stream) => {
    stream.setContentType("application/vnd.awslambda.http-integration-response");
    for (const byte of framed) {
      stream.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    stream.end();
  },
  whole: (stream) => stream.end(framed), // aws-apigw-streaming sets no content type
  from: (stream) => {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 202, headers: { "x-b": "1" } });
    stream.write("by ");
    stream.end("helper");
  },
  plain: (stream) => {
    stream.setContentType("text/plain");
    stream.write("no prelude"); // nor an end: the handler's end is one
  },
  late: (stream) => void setTimeout(() => stream.end(framed), 20), // OpenNext 2 returns before it begins to write
  warmer: (stream) => stream.end(Buffer.from(JSON.stringify({ type: "warmer" })), "utf-8"),
  broken: (stream) => {
    stream.setContentType("application/vnd.awslambda.http-integration-response");
    stream.end(Buffer.concat([Buffer.from("{not json"), Buffer.alloc(8)]));
  },
};

export const handler = awslambda.streamifyResponse((event, stream) => write[event.rawPath.slice(1)](stream));
