import { Hoist } from '../components/flag';
import { ProductCard } from '../components/product-card';
import { RenderedAt } from '../components/rendered-at';
import { products } from '../lib/catalogue';

export const revalidate = 60;

export default function Home() {
  return (
    <>
      <section className="hero">
        <Hoist word="LEEWARD" />
        <h1>Gear that shrugs off weather</h1>
        <p>
          Eight things for small boats, made by people who sail them. Each flies its own signal flag; the line above
          spells our name.
        </p>
      </section>
      <section id="goods" className="goods" aria-label="Goods">
        {products().map((product, i) => (
          <ProductCard key={product.slug} product={product} priority={i < 4} />
        ))}
      </section>
      <RenderedAt />
    </>
  );
}
