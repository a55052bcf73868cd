'use server';

import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';
import { CART_COOKIE, formatCart, parseCart } from '../../lib/cart';
import { productBySlug } from '../../lib/catalogue';

const THIRTY_DAYS = 30 * 24 * 60 * 60;

export async function addToCart(form) {
  const slug = String(form.get('slug'));
  if (!productBySlug(slug)) throw new Error(`no product named ${slug}`);
  await changeCart((lines) => lines.set(slug, (lines.get(slug) ?? 0) + 1));
  redirect('/cart');
}

export async function removeFromCart(form) {
  await changeCart((lines) => lines.delete(String(form.get('slug'))));
}

async function changeCart(change) {
  const jar = await cookies();
  const lines = parseCart(jar.get(CART_COOKIE)?.value);
  change(lines);
  jar.set(CART_COOKIE, formatCart(lines), { path: '/', maxAge: THIRTY_DAYS, sameSite: 'lax' });
}
