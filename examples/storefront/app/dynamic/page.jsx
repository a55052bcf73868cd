import { headers } from 'next/headers';
import { Notice } from '../../components/notice';
import { RenderedAt } from '../../components/rendered-at';

export const dynamic = 'force-dynamic';
export const metadata = { title: 'Rendered per request' };

export default async function DynamicPage({ searchParams }) {
  const query = await searchParams;
  const host = (await headers()).get('host');
  return (
    <Notice title="Rendered per request">
      <p>
        This page was made for you, just now, on <b data-host={host}>{host}</b>.
      </p>
      <p className="muted" data-query={JSON.stringify(query)} data-pid={process.pid}>
        Query: {JSON.stringify(query)}
      </p>
      <RenderedAt />
    </Notice>
  );
}
