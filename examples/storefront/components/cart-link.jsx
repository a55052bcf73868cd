'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { useEffect, useState } from 'react';
import { CART_COOKIE, countItems, parseCart } from '../lib/cart';

// Reads the cookie in the browser, so that pages with this link stay static.
export function CartLink() {
  const pathname = usePathname();
  const [count, setCount] = useState(0);

  useEffect(() => {
    const read = () => setCount(countItems(parseCart(readCookie(CART_COOKIE))));
    read();
    const timer = setInterval(read, 1000);
    return () => clearInterval(timer);
  }, [pathname]);

  return (
    <Link href="/cart" className="cart-link">
      Cart <span className="cart-count">{count}</span>
    </Link>
  );
}

function readCookie(name) {
  const pair = document.cookie.split('; ').find((entry) => entry.startsWith(`${name}=`));
  return pair && decodeURIComponent(pair.slice(name.length + 1));
}
