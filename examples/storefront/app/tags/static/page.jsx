import { Notice } from '../../../components/notice';
import { RenderedAt } from '../../../components/rendered-at';
import { catalogueEdition } from '../../../lib/stock';

export const revalidate = 3600;
export const metadata = { title: 'A tagged static page' };

export default async function TaggedStaticPage() {
  const { edition } = await catalogueEdition();
  return (
    <Notice title="A tagged static page">
      <p data-catalogue={edition}>Catalogue edition {edition}, rendered with the page and kept until the tag is revalidated.</p>
      <RenderedAt />
    </Notice>
  );
}
