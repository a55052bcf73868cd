// CreateInvalidation of the CloudFront API, 2020-05-31.
import { setTimeout as sleep } from "node:timers/promises";
import { sign } from "./sign.mjs";

const fetch = globalThis.fetch; // Next.js replaces it with one that caches
export const ATTEMPTS = 6;
const PATIENCE = 10_000; // ms; the app's answer is sent, but the function is not free for the next request

const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function batch(paths, reference) {
  const items = paths.map((path) => `<Path>${escaped(path)}</Path>`).join("");
  return `<?xml version="1.0" encoding="UTF-8"?><InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">` +
    `<Paths><Quantity>${paths.length}</Quantity><Items>${items}</Items></Paths>` +
    `<CallerReference>${escaped(reference)}</CallerReference></InvalidationBatch>`;
}

// Reports whether CloudFront may accept the same call a little later.
const passing = (status, text) => status === 429 || status >= 500 || /TooManyInvalidationsInProgress|Throttl|PriorRequestNotComplete/.test(text);

async function post(distribution, body, patience) {
  const { AWS_ENDPOINT_URL_CLOUDFRONT, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  const base = AWS_ENDPOINT_URL_CLOUDFRONT || AWS_ENDPOINT_URL || "https://cloudfront.amazonaws.com";
  const url = new URL(`/2020-05-31/distribution/${distribution}/invalidation`, base);
  const headers = sign(url, body, { // CloudFront's signing region is us-east-1, wherever the function runs
    region: "us-east-1", service: "cloudfront", key: AWS_ACCESS_KEY_ID, secret: AWS_SECRET_ACCESS_KEY, token: AWS_SESSION_TOKEN,
  });
  const answer = await fetch(url, {
    method: "POST", body, headers: { ...headers, "content-type": "application/xml" }, signal: AbortSignal.timeout(patience),
  });
  return { status: answer.status, text: await answer.text() };
}

// Invalidates paths in CloudFront, with at most so many attempts. Repeated under the same
// reference, it is the same invalidation. Throws when CloudFront refuses. Throws an error with
// busy set when CloudFront was too busy for PATIENCE, or until the function has to end, which is
// in remaining ms.
export async function createInvalidation(distribution, paths, { reference, attempts = ATTEMPTS, remaining = Infinity }) {
  const body = batch(paths, reference);
  const until = Date.now() + Math.min(PATIENCE, remaining - 1000);
  let cause = new Error("the function has no time left");
  for (let attempt = 0; attempt < attempts; attempt++) {
    const pause = attempt && 100 * 2 ** attempt * (0.5 + Math.random() / 2);
    const left = until - Date.now() - pause;
    if (left <= 0) break;
    await sleep(pause);
    try {
      const { status, text } = await post(distribution, body, Math.ceil(left));
      if (status < 300) return;
      cause = new Error(`CloudFront answers ${status}: ${text.slice(0, 300)}`);
      if (!passing(status, text)) throw cause;
    } catch (error) {
      if (error === cause) throw error;
      cause = error;
    }
  }
  throw Object.assign(new Error(cause.message, { cause }), { busy: true });
}
