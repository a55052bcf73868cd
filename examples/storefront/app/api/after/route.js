import { after } from 'next/server';
import { sleep } from '../../../lib/limits';
import { processState } from '../../../lib/process-state';

export const dynamic = 'force-dynamic';

// ?id=x answers at once and notes x afterwards; ?seen=x tells whether that
// has happened in this process.
export function GET(request) {
  const params = request.nextUrl.searchParams;
  const { afterIds } = processState();
  if (params.has('seen')) {
    return Response.json({ seen: afterIds.has(params.get('seen')), pid: process.pid });
  }
  const id = params.get('id') ?? 'none';
  after(async () => {
    await sleep(100);
    afterIds.add(id);
    console.log(`after: ${id}`);
  });
  return Response.json({ scheduled: id, pid: process.pid });
}
