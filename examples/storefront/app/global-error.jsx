'use client';

import { VERSION } from '../lib/version';

// Replaces the root layout, so it brings its own document.
export default function GlobalError({ reset }) {
  return (
    <html lang="en">
      <head>
        <meta name="anchor-version" content={VERSION} />
      </head>
      <body>
        <h1>We ran aground</h1>
        <p data-version={VERSION}>The shop could not be rendered.</p>
        <button type="button" onClick={reset}>
          Try again
        </button>
      </body>
    </html>
  );
}
