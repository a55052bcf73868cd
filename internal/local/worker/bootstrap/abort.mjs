// Lambda never tells a handler that its client has gone, so OpenNext's Lambda wrappers give its response object no
// abort signal. Next.js learns of a disconnect from the response being destroyed (request.signal, ReadableStream
// cancel). So note each OpenNext response as it is built, under the request that is being answered.
import stream from "node:stream";
import { syncBuiltinESMExports } from "node:module";
import { current } from "./log.mjs";

// Only OpenNext's response has it, whatever name a minifier gave the class.
const isOpenNextResponse = (type) => typeof type.prototype?.fixHeadersForError === "function";

export function noteResponses() {
  stream.Transform = new Proxy(stream.Transform, {
    construct(target, args, type) {
      const instance = Reflect.construct(target, args, type);
      if (isOpenNextResponse(type)) current.getStore()?.adopt(instance);
      return instance;
    },
  });
  syncBuiltinESMExports();
}
