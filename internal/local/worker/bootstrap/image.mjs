// OpenNext's image function answers 500 to whatever Next.js throws, and logs it. Next.js'
// ImageError has the status that `next start` answers with: 400 for a file that is not an image, an
// upstream's own status, 413, 508. Answer with that.
import { AsyncLocalStorage } from "node:async_hooks";
import { types } from "node:util";
import { STREAMING } from "./invocation.mjs";

const failure = new AsyncLocalStorage();
const LOGGED = "Failed to optimize image"; // adapters/image-optimization-adapter.js

// Returns an image function's handler that answers with the status of an ImageError in place of
// OpenNext's 500. It returns any other handler as it is. Only the image function has a BUCKET_NAME
// (awswire.ImageEnv).
export function withImageErrors(handler) {
  if (process.env.BUCKET_NAME === undefined || handler[STREAMING]) return handler;
  noteImageErrors();
  return (event, context) =>
    failure.run({}, async () => {
      const result = await handler(event, context);
      const { error } = failure.getStore();
      if (result?.statusCode !== 500 || !error) return result;
      return { ...result, statusCode: error.statusCode, body: error.message, isBase64Encoded: false };
    });
}

function noteImageErrors() {
  const { error } = console;
  console.error = function (text, thrown, ...rest) {
    const store = failure.getStore();
    if (store && text === LOGGED && types.isNativeError(thrown) && isStatus(thrown.statusCode)) store.error = thrown;
    return error.apply(this, arguments);
  };
}

const isStatus = (value) => Number.isInteger(value) && value >= 400 && value <= 599;
