// Lambda never informs a handler that its client has gone, so OpenNext's Lambda wrappers pass no
// abort signal to its response object. Next.js learns of a disconnect when the response is
// destroyed (request.signal, ReadableStream cancel). So record each OpenNext response as it is
// built, under the request that is being answered.
import stream from "node:stream";
import { syncBuiltinESMExports } from "node:module";
import { current } from "./log.mjs";

// Only OpenNext's response has it, whatever name a minifier chose for the class.
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
