import { NextResponse } from 'next/server';

const VERSION = process.env.STOREFRONT_VERSION;

export function middleware(request) {
  const response = route(request);
  response.headers.set('x-middleware', '1');
  response.headers.set('x-storefront-version', VERSION);
  return response;
}

function route(request) {
  const url = request.nextUrl;
  switch (url.pathname.replace(/\/$/, '')) {
    case '/mw-json':
      return NextResponse.json({ from: 'middleware', locale: url.locale, version: VERSION });
    case '/mw-redirect':
      return NextResponse.redirect(target(url, '/guides/knots/'));
    case '/mw-rewrite':
      return NextResponse.rewrite(target(url, '/guides/knots/'));
  }
  return NextResponse.next();
}

// Cloning keeps the base path and the locale.
function target(url, pathname) {
  const copy = url.clone();
  copy.pathname = pathname;
  return copy;
}

export const config = {
  matcher: ['/((?!_next/static|_next/image|knot.png).*)'],
};
