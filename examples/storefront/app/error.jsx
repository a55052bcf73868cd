'use client';

import { Notice } from '../components/notice';

export default function ErrorPage({ error, reset }) {
  return (
    <Notice title="We ran aground">
      <p data-error-digest={error.digest}>The page could not be rendered. Nothing in your cart is lost.</p>
      <button type="button" className="button" onClick={reset}>
        Try again
      </button>
    </Notice>
  );
}
