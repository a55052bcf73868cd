import Image from 'next/image';
import Link from 'next/link';
import { Page } from '../components/page';

const WELCOME = { en: 'How to look after what you bought.', de: 'Wie man pflegt, was man gekauft hat.', fr: 'Comment entretenir vos achats.' };

export function getStaticProps({ locale }) {
  return { props: { locale, renderedAt: new Date().toISOString() }, revalidate: 60 };
}

export default function Home({ locale, renderedAt }) {
  return (
    <Page title="Guides" renderedAt={renderedAt}>
      <p>{WELCOME[locale]}</p>
      <Image src="/docs/knot.png" alt="A figure-eight knot" width={640} height={360} priority />
      <ul>
        <li>
          <Link href="/guides/knots">Four knots</Link>
        </li>
        <li>
          <Link href="/guides/lantern">Trimming a lantern</Link>
        </li>
        <li>
          <Link href="/tide">The tide now</Link>
        </li>
      </ul>
    </Page>
  );
}
