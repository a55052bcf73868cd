import Link from 'next/link';
import { unstable_cache } from 'next/cache';

export const revalidate = 3600;

export function generateStaticParams() {
  return [{ name: 'north' }, { name: 'south' }];
}

const chart = (name) => unstable_cache(async () => new Date().toISOString(), ['chart', name], { tags: [`sea-${name}`] })();

export default async function Sea({ params }) {
  const { name } = await params;
  const renderedAt = new Date().toISOString();
  return (
    <main>
      <h1>{name}</h1>
      <p data-rendered-at={renderedAt}>Chart of {await chart(name)}</p>
      <Link href="/islands/">Islands</Link>
    </main>
  );
}
