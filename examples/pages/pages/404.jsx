import Link from 'next/link';
import { Page } from '../components/page';

export default function NotFound() {
  return (
    <Page title="Not on the chart">
      <p>
        There is no guide at this address. <Link href="/">All guides</Link>
      </p>
    </Page>
  );
}
