const PLACES = ['harbour', 'lighthouse'];

export function getStaticPaths({ locales }) {
  return {
    paths: PLACES.flatMap((name) => locales.map((locale) => ({ params: { name }, locale }))),
    fallback: 'blocking',
  };
}

export function getStaticProps({ params, locale }) {
  if (params.name === 'nowhere') return { notFound: true, revalidate: 3600 };
  return { props: { name: params.name, locale, renderedAt: new Date().toISOString() }, revalidate: 3600 };
}

export default function Place({ name, locale, renderedAt }) {
  return (
    <main data-locale={locale}>
      <h1>{name}</h1>
      <p data-rendered-at={renderedAt}>Rendered {renderedAt}</p>
    </main>
  );
}
