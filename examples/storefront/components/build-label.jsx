'use client';

import { VERSION } from '../lib/version';

// A client component on purpose: the label ends up in a JavaScript chunk, so
// that every build has a hashed chunk of its own.
export function BuildLabel() {
  return (
    <small className="build-label" data-version={VERSION}>
      Build {VERSION}
    </small>
  );
}
