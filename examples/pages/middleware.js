import { NextResponse } from 'next/server';

const VERSION = process.env.STOREFRONT_VERSION;
const BASE_PATH = '/docs';

// There is no matcher on purpose: the one that Next.js compiles for an app with
// languages and a base path never matches under OpenNext 4.1.
export function middleware(request) {
  const response = route(request);
  response.headers.set('x-middleware', '1');
  response.headers.set('x-storefront-version', VERSION);
  return response;
}

function route(request) {
  const { pathname, locale } = request.nextUrl;
  switch (pagePath(pathname)) {
    case '/mw-json':
      return NextResponse.json({ from: 'middleware', locale, version: VERSION });
    case '/mw-redirect':
      return NextResponse.redirect(new URL(`${BASE_PATH}/guides/knots/`, request.url));
    case '/mw-rewrite':
      return NextResponse.rewrite(new URL(`${BASE_PATH}/guides/knots/`, request.url));
  }
  return NextResponse.next();
}

// Next.js has taken the base path off, OpenNext may have left it on.
function pagePath(pathname) {
  const withoutBase = pathname.startsWith(`${BASE_PATH}/`) ? pathname.slice(BASE_PATH.length) : pathname;
  return withoutBase.replace(/\/$/, '');
}
