// Apps see the visitor's Accept-Encoding, and the edge compresses their answers. OpenNext's
// wrappers would compress by the same header inside Node.js, on the one thread that renders pages:
// aws-lambda-streaming at brotli's highest quality.
import zlib from "node:zlib";

const CODINGS = [
  ["br", zlib.BrotliCompress],
  ["gzip", zlib.Gzip],
  ["deflate", zlib.Deflate],
  ["zstd", zlib.ZstdCompress], // Node.js 22.15 and later
].filter(([, type]) => type);

// Returns the content coding that a stream produces, or undefined if it is not a compressor of
// Node.js.
export const codingOf = (stream) => CODINGS.find(([, type]) => stream instanceof type)?.[0];

// Makes a compressor that has not started pass its input through. Returns whether it does.
export function bypass(compressor) {
  if (compressor.bytesWritten > 0) return false;
  compressor._transform = (chunk, _encoding, callback) => callback(null, chunk);
  compressor._flush = (callback) => callback();
  return true;
}

// Keeps aws-lambda-compressed from compressing an OpenNext response: it does not touch a response
// that has a coding. No answer is sent with the coding "identity".
export function declareIdentity(response) {
  const { getFixedHeaders } = response;
  if (typeof getFixedHeaders !== "function") return; // before OpenNext 3, which has no such wrapper
  response.getFixedHeaders = function () {
    const headers = getFixedHeaders.call(this);
    headers["content-encoding"] ??= "identity";
    return headers;
  };
}
