import { cookies } from 'next/headers';
import Image from 'next/image';
import Link from 'next/link';
import { RenderedAt } from '../../components/rendered-at';
import { CART_COOKIE, countItems, parseCart } from '../../lib/cart';
import { formatPrice, imageOf, productBySlug } from '../../lib/catalogue';
import { removeFromCart } from './actions';

export const metadata = { title: 'Cart' };

export default async function CartPage() {
  const lines = parseCart((await cookies()).get(CART_COOKIE)?.value);
  return (
    <article className="cart" data-cart-items={countItems(lines)}>
      <h1>Cart</h1>
      {lines.size === 0 ? <EmptyCart /> : <CartLines lines={lines} />}
      <RenderedAt />
    </article>
  );
}

function EmptyCart() {
  return (
    <p className="empty">
      Nothing aboard yet. <Link href="/#goods">Look at the goods</Link>
    </p>
  );
}

function CartLines({ lines }) {
  const rows = [...lines].map(([slug, count]) => ({ product: productBySlug(slug), count }));
  const total = rows.reduce((sum, { product, count }) => sum + product.price * count, 0);
  return (
    <>
      <ul className="cart-lines">
        {rows.map((row) => (
          <CartLine key={row.product.slug} {...row} />
        ))}
      </ul>
      <p className="cart-total">
        <span>Total</span>
        <span className="price large" data-cart-total={total}>
          {formatPrice(total)}
        </span>
      </p>
    </>
  );
}

function CartLine({ product, count }) {
  return (
    <li data-cart-slug={product.slug} data-cart-count={count}>
      <Image src={imageOf(product)} alt="" width={96} height={96} />
      <div>
        <Link href={`/products/${product.slug}`}>{product.name}</Link>
        <p className="muted">
          {count} × {formatPrice(product.price)}
        </p>
      </div>
      <form action={removeFromCart}>
        <input type="hidden" name="slug" value={product.slug} />
        <button className="button quiet">Remove</button>
      </form>
    </li>
  );
}
