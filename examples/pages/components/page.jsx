import Head from 'next/head';
import Link from 'next/link';
import { useRouter } from 'next/router';
import { VERSION } from '../lib/version';

export function Page({ title, renderedAt, children }) {
  const { locale, locales, asPath } = useRouter();
  return (
    <>
      <Head>
        <title>{`${title}, Leeward guides`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="anchor-version" content={VERSION} />
      </Head>
      <header>
        <Link href="/">Leeward guides</Link>
        <nav aria-label="Languages">
          {locales?.map((other) => (
            <Link key={other} href={asPath} locale={other} aria-current={other === locale}>
              {other}
            </Link>
          ))}
        </nav>
      </header>
      <main data-locale={locale}>
        <h1>{title}</h1>
        {children}
        {renderedAt && <p data-rendered-at={renderedAt}>Rendered {renderedAt}</p>}
      </main>
      <footer>
        <small data-version={VERSION}>Build {VERSION}</small>
      </footer>
    </>
  );
}
