export const dynamic = 'force-dynamic';

export default function BoomPage() {
  throw new Error('boom: thrown on request');
}
