import { processState } from '../../../lib/process-state';

export const dynamic = 'force-dynamic';

export function GET() {
  const { aborts, openStreams } = processState();
  return Response.json({ aborts, openStreams, pid: process.pid });
}
