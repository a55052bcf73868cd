import { Suspense } from 'react';
import { Notice } from '../../components/notice';
import { RenderedAt } from '../../components/rendered-at';
import { boundedInt, sleep } from '../../lib/limits';

export const dynamic = 'force-dynamic';
export const metadata = { title: 'Streamed in parts' };

const PARTS = ['Cast off the bow line', 'Cast off the spring', 'Cast off the stern line', 'Under way'];

export default async function StreamPage({ searchParams }) {
  const params = new URLSearchParams(await searchParams);
  const step = boundedInt(params, 'step', { fallback: 400, min: 0, max: 2500 });
  return (
    <Notice title="Streamed in parts">
      <p>The page is here; the rest follows, one part every {step} milliseconds.</p>
      <ol className="parts">
        {PARTS.map((text, i) => (
          <Suspense key={text} fallback={<li className="muted">Standing by</li>}>
            <Part n={i + 1} text={text} after={step * (i + 1)} />
          </Suspense>
        ))}
      </ol>
      <RenderedAt />
    </Notice>
  );
}

async function Part({ n, text, after }) {
  await sleep(after);
  return <li data-part={n}>{text}</li>;
}
