import { Notice } from '../../../components/notice';
import { RenderedAt } from '../../../components/rendered-at';

export const metadata = { title: 'A/B by cookie' };

export default function VariantA() {
  return (
    <Notice title="Variant A">
      <p data-variant="a">The middleware chose this page by the cookie named ab.</p>
      <RenderedAt />
    </Notice>
  );
}
