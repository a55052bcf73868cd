import { headers } from 'next/headers';
import { Notice } from '../../components/notice';
import { RenderedAt } from '../../components/rendered-at';
import { catalogueEdition, stockFigures } from '../../lib/stock';

export const metadata = { title: 'Tagged caches' };

export default async function TagsPage() {
  const requestHeaders = await headers();
  const protocol = requestHeaders.get('x-forwarded-proto') ?? 'http';
  const [catalogue, stock] = await Promise.all([
    catalogueEdition(),
    stockFigures(requestHeaders.get('host'), protocol),
  ]);
  return (
    <Notice title="Tagged caches">
      <p>The page is rendered per request; what it shows is cached until somebody revalidates its tag.</p>
      <dl className="facts">
        <div data-catalogue={catalogue.edition}>
          <dt>Tag catalogue (unstable_cache)</dt>
          <dd>{catalogue.edition}</dd>
        </div>
        <div data-stock={stock.stock} data-stock-error={stock.error}>
          <dt>Tag stock (fetch)</dt>
          <dd>{stock.error ?? stock.stock}</dd>
        </div>
      </dl>
      <RenderedAt />
    </Notice>
  );
}
