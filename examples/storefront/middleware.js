import { NextResponse } from 'next/server';

const VERSION = process.env.STOREFRONT_VERSION;

export function middleware(request) {
  const response = route(request);
  response.headers.set('x-middleware', '1');
  response.headers.set('x-storefront-version', VERSION);
  return response;
}

function route(request) {
  const { pathname } = request.nextUrl;
  const open = request.cookies.get('gate')?.value === 'open';
  if (pathname.startsWith('/members/') && !open) {
    return NextResponse.redirect(new URL(`/gate?from=${pathname}`, request.url));
  }
  switch (pathname) {
    case '/mw-json':
      return NextResponse.json({ from: 'middleware', version: VERSION });
    case '/ab':
      return NextResponse.rewrite(new URL(`/ab/${variant(request)}`, request.url));
    case '/gated':
      if (!open) {
        return NextResponse.redirect(new URL('/gate?from=/gated', request.url));
      }
  }
  return NextResponse.next();
}

function variant(request) {
  return request.cookies.get('ab')?.value === 'b' ? 'b' : 'a';
}

export const config = {
  matcher: ['/((?!_next/static|_next/image|pictures/|files/|robots.txt|version.txt|large.bin).*)'],
};
