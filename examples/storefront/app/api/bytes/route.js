import { boundedInt } from '../../../lib/limits';
import { pseudoRandomChunks, pseudoRandomSha256 } from '../../../lib/pseudo-random';

export const dynamic = 'force-dynamic';

export function GET(request) {
  const params = request.nextUrl.searchParams;
  const n = boundedInt(params, 'n', { fallback: 1024, min: 0, max: 1 << 30 });
  const headers = {
    'content-type': 'application/octet-stream',
    'cache-control': 'no-store',
    'x-body-bytes': String(n),
    'x-body-sha256': pseudoRandomSha256(n),
  };
  if (params.has('length')) headers['content-length'] = String(n);
  return new Response(stream(pseudoRandomChunks(n)), { headers });
}

// Pull, never push: a slow reader holds the generator back.
function stream(chunks) {
  return new ReadableStream({
    pull(controller) {
      const { value, done } = chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
  });
}
