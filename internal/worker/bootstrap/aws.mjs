// OpenNext's "-lite" overrides call AWS by its real host names through fetch. Send those calls, and no
// others, to the endpoints that the AWS SDKs would use (AWS_ENDPOINT_URL_S3, _DYNAMODB, _SQS).
import { bodyOf } from "./body.mjs";

const SERVICES = [
  { env: "AWS_ENDPOINT_URL_S3", host: /^(?:(.+)\.)?s3[.-][a-z0-9-]+\.amazonaws\.com$/ },
  { env: "AWS_ENDPOINT_URL_DYNAMODB", host: /^dynamodb\.[a-z0-9-]+\.amazonaws\.com$/ },
  { env: "AWS_ENDPOINT_URL_SQS", host: /^sqs\.[a-z0-9-]+\.amazonaws\.com$/ },
];

// Returns the address to use instead of url, or undefined when it is none of ours.
function redirect(url) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    return undefined; // fetch itself reports a malformed URL
  }
  for (const { env, host } of SERVICES) {
    const match = process.env[env] && host.exec(parsed.hostname);
    if (!match) continue;
    const bucket = match[1] ? `/${match[1]}` : "";
    return process.env[env].replace(/\/$/, "") + bucket + parsed.pathname + parsed.search;
  }
  return undefined;
}

export function redirectAWS() {
  const fetch = globalThis.fetch;
  globalThis.fetch = function (input, init) {
    const upload = init && bodyOf(init.body);
    if (upload) init = { ...init, body: upload.web(), duplex: "half" };
    const url = typeof input === "string" ? input : (input?.url ?? String(input));
    const target = url.includes(".amazonaws.com") ? redirect(url) : undefined;
    if (!target) return fetch.call(this, input, init);
    return fetch.call(this, input instanceof Request ? new Request(target, input) : target, init);
  };
}
