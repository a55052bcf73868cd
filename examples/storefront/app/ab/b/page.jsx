import { Notice } from '../../../components/notice';
import { RenderedAt } from '../../../components/rendered-at';

export const metadata = { title: 'A/B by cookie' };

export default function VariantB() {
  return (
    <Notice title="Variant B">
      <p data-variant="b">The middleware chose this page by the cookie named ab.</p>
      <RenderedAt />
    </Notice>
  );
}
