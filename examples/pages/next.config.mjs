const version = process.env.STOREFRONT_VERSION || 'v1';

// OpenNext 4.1 matches the rules of an app with languages against
// `/en/docs/…`, where Next.js itself has `/docs/en/…`. A second rule that
// takes the path as the browser sent it holds under both.
const underBoth = (rule) => [rule, { ...rule, locale: false }];

/** @type {import('next').NextConfig} */
export default {
  env: { STOREFRONT_VERSION: version },
  outputFileTracingRoot: import.meta.dirname,
  poweredByHeader: false,
  basePath: '/docs',
  trailingSlash: true,
  i18n: {
    locales: ['en', 'de', 'fr'],
    defaultLocale: 'en',
  },
  async headers() {
    return underBoth({
      source: '/:path*',
      headers: [{ key: 'x-storefront-version', value: version }],
    });
  },
  async redirects() {
    return underBoth({ source: '/old-guide', destination: '/guides/knots', permanent: true });
  },
  async rewrites() {
    return underBoth({ source: '/manual', destination: '/guides/knots' });
  },
};
