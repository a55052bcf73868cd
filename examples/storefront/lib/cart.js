import { productBySlug } from './catalogue';

export const CART_COOKIE = 'cart';
const MAX_EACH = 99;

// The cart is a cookie of `slug:count` pairs joined by dots, so that it is
// readable from the browser as well as from the server.
export function parseCart(value) {
  const lines = new Map();
  for (const pair of (value ?? '').split('.')) {
    const [slug, count] = pair.split(':');
    const n = Number.parseInt(count, 10);
    if (n > 0 && productBySlug(slug)) lines.set(slug, Math.min(n, MAX_EACH));
  }
  return lines;
}

export function formatCart(lines) {
  return [...lines].map(([slug, count]) => `${slug}:${count}`).join('.');
}

export function countItems(lines) {
  return [...lines.values()].reduce((sum, count) => sum + count, 0);
}
