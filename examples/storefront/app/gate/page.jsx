import { Notice } from '../../components/notice';

export const metadata = { title: 'The gate' };

export default function GatePage() {
  return (
    <Notice title="The gate">
      <p data-gate="closed">The middleware sent you here, because you carry no cookie named gate.</p>
      <a className="button" href="/api/gate">
        Open it
      </a>
    </Notice>
  );
}
