import { Notice } from '../../components/notice';
import { RenderedAt } from '../../components/rendered-at';
import { boundedInt, sleep } from '../../lib/limits';

export const dynamic = 'force-dynamic';
export const metadata = { title: 'A slow page' };

export default async function SlowPage({ searchParams }) {
  const params = new URLSearchParams(await searchParams);
  const ms = boundedInt(params, 'ms', { fallback: 3000, min: 0, max: 10_000 });
  await sleep(ms);
  return (
    <Notice title="A slow page">
      <p data-slept={ms}>Thank you for waiting {ms} milliseconds.</p>
      <RenderedAt />
    </Notice>
  );
}
