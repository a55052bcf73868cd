const version = process.env.STOREFRONT_VERSION || 'v1';
const proxyTarget = process.env.PROXY_TARGET || 'http://127.0.0.1:9';

/** @type {import('next').NextConfig} */
export default {
  // Inlined at build time into server, client and middleware code alike.
  env: { STOREFRONT_VERSION: version },
  outputFileTracingRoot: import.meta.dirname,
  poweredByHeader: false,
  images: {
    formats: ['image/avif', 'image/webp'],
    remotePatterns: [{ protocol: 'http', hostname: '127.0.0.1' }],
  },
  async headers() {
    return [
      {
        source: '/:path*',
        headers: [
          { key: 'x-storefront-version', value: version },
          { key: 'x-content-type-options', value: 'nosniff' },
        ],
      },
      { source: '/pictures/:path*', headers: [{ key: 'cache-control', value: 'public, max-age=86400' }] },
      { source: '/about', headers: [{ key: 'x-shop-page', value: 'about' }] },
    ];
  },
  async redirects() {
    return [
      { source: '/old-shop', destination: '/', permanent: true },
      { source: '/old-prices.txt', destination: '/members/prices.txt', permanent: true },
      { source: '/p/:slug', destination: '/products/:slug', permanent: false },
    ];
  },
  async rewrites() {
    return {
      beforeFiles: [
        { source: '/stock.txt', destination: '/api/data' },
        { source: '/terms', destination: '/files/terms.html' },
      ],
      afterFiles: [
        { source: '/about-us', destination: '/about' },
        { source: '/proxy/:path*', destination: `${proxyTarget}/:path*` },
      ],
    };
  },
};
