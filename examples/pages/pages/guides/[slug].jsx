import { Page } from '../../components/page';
import { BUILT_GUIDES, guideBySlug } from '../../lib/guides';

export function getStaticPaths({ locales }) {
  return {
    paths: BUILT_GUIDES.flatMap((slug) => locales.map((locale) => ({ params: { slug }, locale }))),
    fallback: 'blocking',
  };
}

export function getStaticProps({ params, locale }) {
  const guide = guideBySlug(params.slug);
  if (!guide) return { notFound: true, revalidate: 2 };
  return { props: { guide, locale, renderedAt: new Date().toISOString() }, revalidate: 2 };
}

export default function Guide({ guide, renderedAt }) {
  return (
    <Page title={guide.title} renderedAt={renderedAt}>
      <p>{guide.text}</p>
    </Page>
  );
}
