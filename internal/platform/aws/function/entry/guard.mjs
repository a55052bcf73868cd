// What stands before the app in every function that answers HTTP. A function's URL is open to the whole world, so the
// guard lets in only those who know the installation's origin secret: CloudFront, which sends it with every request, and
// Anchor's own probe.
import { createHash, timingSafeEqual } from "node:crypto";
import { install as installInvalidation, settle } from "./invalidation.mjs";
import { current, received, take } from "./request.mjs";
import { install as installRevalidate } from "./revalidate.mjs";

export const HEADER = "x-anchor-origin";
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming"); // set by awslambda.streamifyResponse
const INTEGRATION = "application/vnd.awslambda.http-integration-response";
const REFUSAL = { statusCode: 403, headers: { "content-type": "text/plain", "cache-control": "no-store" }, body: "Forbidden\n" };

// This module is evaluated before the app's, so that the app never sees the secret.
const own = process.env.ANCHOR_ORIGIN_SECRET;
delete process.env.ANCHOR_ORIGIN_SECRET;

installInvalidation();
installRevalidate();

const digest = (text) => createHash("sha256").update(text).digest();

// Reports whether sent, a comma-joined list of generations, holds the secret. Every generation is compared, and digests
// are, so that the time tells neither the length nor the place of a difference.
export function knows(sent, secret) {
  const want = digest(secret);
  let known = false;
  for (const one of sent.split(",")) known = timingSafeEqual(digest(one.trim()), want) || known;
  return known;
}

// Writes a buffered answer (payload format 2.0) to a response stream. The prelude is written even when there is no body:
// Lambda waits for the first byte of an answer.
function send(stream, result) {
  if (result === null || typeof result !== "object" || result.statusCode === undefined) {
    const body = typeof result === "string" ? result : JSON.stringify(result ?? null);
    result = { statusCode: 200, headers: { "content-type": "application/json" }, body };
  }
  const { statusCode, headers = {}, cookies = [] } = result;
  stream.setContentType(INTEGRATION);
  stream.write(JSON.stringify({ statusCode, headers, cookies }));
  stream.write(Buffer.alloc(8));
  stream.end(Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8"));
}

// Gives the handler that Lambda calls. It always streams, whether the app does or not: the mode belongs to the function's
// URL, which stays when traffic moves from a version that streams to one that does not.
export function guard(app, secret = own) {
  if (typeof app !== "function") throw new Error("the bundle exports no handler");
  if (!secret) throw new Error("ANCHOR_ORIGIN_SECRET is not set");
  return awslambda.streamifyResponse(async (event, stream, context) => {
    if (!knows(take(event, HEADER), secret)) return send(stream, REFUSAL);
    const request = received(event);
    try {
      return await current.run(request, async () => {
        if (app[STREAMING]) return app(event, stream, context);
        send(stream, await app(event, context));
      });
    } finally {
      await settle(request, context.getRemainingTimeInMillis?.());
    }
  });
}
