import Link from 'next/link';
import { CartLink } from './cart-link';
import { Flag } from './flag';

export function SiteHeader() {
  return (
    <header className="site-header">
      <Link href="/" className="wordmark">
        <Flag letter="L" className="wordmark-flag" />
        Leeward
      </Link>
      <nav aria-label="Main">
        <Link href="/#goods">Goods</Link>
        <Link href="/about">About</Link>
        <CartLink />
      </nav>
    </header>
  );
}
