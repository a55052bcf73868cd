'use client';

import { VERSION } from '../lib/version';

export default function CareNotes() {
  return (
    <div className="care" data-care-version={VERSION}>
      <p>Rinse salt off with fresh water and let it dry in the open. Do not put anything away wet.</p>
      <p>Anything that wears out in its first five years we repair for the price of the postage.</p>
    </div>
  );
}
