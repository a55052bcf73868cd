import Image from 'next/image';
import Link from 'next/link';
import { formatPrice, imageOf } from '../lib/catalogue';
import { Flag } from './flag';

export function ProductCard({ product, priority }) {
  return (
    <Link href={`/products/${product.slug}`} className="card">
      <div className="card-picture">
        <Image
          src={imageOf(product)}
          alt=""
          width={1000}
          height={1000}
          sizes="(max-width: 640px) 50vw, (max-width: 1100px) 33vw, 300px"
          priority={priority}
        />
        <Flag letter={product.flag} className="card-flag" />
      </div>
      <h3>{product.name}</h3>
      <p className="muted">{product.line}</p>
      <p className="price">{formatPrice(product.price)}</p>
    </Link>
  );
}
