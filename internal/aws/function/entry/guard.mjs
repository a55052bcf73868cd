// Runs before the app in every function that answers HTTP. A function's URL is public, so the
// guard admits only requests with the installation's origin secret: those of CloudFront, which
// sends it with every request, and of Anchor's own probe.
import { createHash, timingSafeEqual } from "node:crypto";
import { send } from "./answer.mjs";
import { believed, mark } from "./halfway.mjs";
import { completeImages } from "./image.mjs";
import { install as installIncremental } from "./incremental.mjs";
import { install as installInvalidation, settle } from "./invalidation.mjs";
import { install as installLength } from "./length.mjs";
import { current, received, take } from "./request.mjs";
import { install as installRevalidate } from "./revalidate.mjs";

export const HEADER = "x-anchor-origin";
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming"); // set by awslambda.streamifyResponse
const REFUSAL = { statusCode: 403, headers: { "content-type": "text/plain", "cache-control": "no-store" }, body: "Forbidden\n" };

// This module is evaluated before the app's, so that the app never sees the secret.
const own = process.env.ANCHOR_ORIGIN_SECRET;
delete process.env.ANCHOR_ORIGIN_SECRET;

installIncremental();
installInvalidation();
installLength();
installRevalidate();

const asItIs = async (event) => ({ event });

const digest = (text) => createHash("sha256").update(text).digest();

// Reports whether sent, a comma-joined list of generations, contains the secret. It compares
// every generation, and compares digests, so that the time reveals neither the length nor the
// position of a difference.
export function knows(sent, secret) {
  const want = digest(secret);
  let known = false;
  for (const one of sent.split(",")) known = timingSafeEqual(digest(one.trim()), want) || known;
  return known;
}

// Reports whether an event is one of OpenNext's warmer (wrappers/aws-lambda.ts: "type" in event). Only who may invoke the
// function can send it: all that a function's URL sends has a requestContext (payload format 2.0).
const warms = (event) => event?.type === "warmer" && !("requestContext" in event);

// Returns the handler that Lambda calls. It always streams, whether the app does or not: the mode
// belongs to the function's URL, which stays when traffic moves from a version that streams to
// one that does not. before runs before the app, see middleware.mjs. With warmer, the bundle is one whose
// handler answers the events of OpenNext's warmer itself.
export function guard(app, { secret = own, before = asItIs, warmer = false } = {}) {
  if (typeof app !== "function") throw new Error("the bundle exports no handler");
  if (!secret) throw new Error("ANCHOR_ORIGIN_SECRET is not set");
  const buffered = app[STREAMING] ? undefined : completeImages(app);
  return awslambda.streamifyResponse(async (event, stream, context) => {
    if (warmer && warms(event)) return app[STREAMING] ? app(event, stream, context) : void stream.end(JSON.stringify(await app(event, context)));
    if (!knows(take(event, HEADER), secret)) return send(stream, REFUSAL);
    const live = believed(event.headers);
    if (live) mark(stream, live);
    const request = received(event);
    try {
      return await current.run(request, async () => {
        const { event: next, answer, relay } = await before(event, request, { [HEADER]: secret });
        if (answer) return send(stream, answer);
        if (relay) return relay(stream);
        if (!buffered) return app(next, stream, context);
        send(stream, await buffered(next, context));
      });
    } finally {
      await settle(request, context.getRemainingTimeInMillis?.());
    }
  });
}
