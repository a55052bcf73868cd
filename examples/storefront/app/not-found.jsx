import Link from 'next/link';
import { Notice } from '../components/notice';

export const metadata = { title: 'Not on the chart' };

export default function NotFound() {
  return (
    <Notice title="Not on the chart">
      <p>There is no page at this address.</p>
      <Link className="button" href="/">
        Back to harbour
      </Link>
    </Notice>
  );
}
