import { boundedInt, sleep } from '../../../lib/limits';
import { processState } from '../../../lib/process-state';
import { VERSION } from '../../../lib/version';

export const dynamic = 'force-dynamic';

export function GET(request) {
  const params = request.nextUrl.searchParams;
  const n = boundedInt(params, 'n', { fallback: 10, min: 1, max: 10_000 });
  const every = boundedInt(params, 'every', { fallback: 1000, min: 1, max: 60_000 });
  return new Response(events(n, every, request.signal), {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store, no-transform' },
  });
}

function events(n, every, signal) {
  const state = processState();
  const encoder = new TextEncoder();
  let sent = 0;
  let open = true;
  const finish = (aborted) => {
    if (!open) return;
    open = false;
    state.openStreams -= 1;
    if (aborted) state.aborts += 1;
  };

  return new ReadableStream({
    start() {
      state.openStreams += 1;
      signal.addEventListener('abort', () => finish(true));
    },
    async pull(controller) {
      if (sent > 0) await sleep(every);
      if (!open) return;
      const data = JSON.stringify({ n: sent, version: VERSION, pid: process.pid });
      controller.enqueue(encoder.encode(`id: ${sent}\nevent: tick\ndata: ${data}\n\n`));
      sent += 1;
      if (sent === n) {
        controller.close();
        finish(false);
      }
    },
    cancel() {
      finish(true);
    },
  });
}
