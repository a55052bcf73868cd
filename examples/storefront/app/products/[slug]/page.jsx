import Image from 'next/image';
import { notFound } from 'next/navigation';
import { CareToggle } from '../../../components/care-toggle';
import { Flag } from '../../../components/flag';
import { RenderedAt } from '../../../components/rendered-at';
import { formatPrice, imageOf, productBySlug, products } from '../../../lib/catalogue';
import { addToCart } from '../../cart/actions';

export const revalidate = 2;
export const dynamicParams = true;

export function generateStaticParams() {
  return products().map(({ slug }) => ({ slug }));
}

export async function generateMetadata({ params }) {
  const product = productBySlug((await params).slug);
  return { title: product?.name, description: product?.about };
}

export default async function ProductPage({ params }) {
  const product = productBySlug((await params).slug);
  if (!product) notFound();
  return (
    <article className="product" data-slug={product.slug}>
      <div className="product-picture">
        <Image
          src={imageOf(product)}
          alt={product.name}
          width={1000}
          height={1000}
          sizes="(max-width: 860px) 100vw, 640px"
          priority
        />
      </div>
      <div className="product-text">
        <Flag letter={product.flag} className="product-flag" />
        <h1>{product.name}</h1>
        <p className="product-line">{product.line}</p>
        <p>{product.about}</p>
        <BuyForm product={product} />
        <Facts facts={product.facts} />
        <CareToggle />
        <RenderedAt />
      </div>
    </article>
  );
}

function BuyForm({ product }) {
  return (
    <form action={addToCart} className="buy">
      <input type="hidden" name="slug" value={product.slug} />
      <span className="price large">{formatPrice(product.price)}</span>
      <button className="button">Add to cart</button>
    </form>
  );
}

function Facts({ facts }) {
  return (
    <dl className="facts">
      {Object.entries(facts).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
