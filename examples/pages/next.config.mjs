const version = process.env.STOREFRONT_VERSION || 'v1';

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
    return [
      {
        source: '/:path*',
        headers: [{ key: 'x-storefront-version', value: version }],
      },
    ];
  },
  async redirects() {
    return [{ source: '/old-guide', destination: '/guides/knots', permanent: true }];
  },
  async rewrites() {
    return [{ source: '/manual', destination: '/guides/knots' }];
  },
};
