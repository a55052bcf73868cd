const version = process.env.STOREFRONT_VERSION || 'v1';

// OpenNext 4.1 matches the rules of an app with languages against
// `/en/atlas/…`, where Next.js itself has `/atlas/en/…`. A second rule that
// takes the path as the browser sent it holds under both.
const underBoth = (rule) => [rule, { ...rule, locale: false }];

/** @type {import('next').NextConfig} */
export default {
  env: { STOREFRONT_VERSION: version },
  outputFileTracingRoot: import.meta.dirname,
  poweredByHeader: false,
  basePath: '/atlas',
  trailingSlash: true,
  i18n: {
    locales: ['en', 'de'],
    defaultLocale: 'en',
    localeDetection: false,
  },
  async rewrites() {
    return [
      ...underBoth({ source: '/home-port', destination: '/places/harbour' }),
      ...underBoth({ source: '/upwind', destination: '/seas/north' }),
    ];
  },
};
