import { Notice } from '../../components/notice';

export const metadata = { title: 'Behind the gate' };

export default function GatedPage() {
  return (
    <Notice title="Behind the gate">
      <p data-gate="open">The middleware saw your cookie and let you through.</p>
    </Notice>
  );
}
