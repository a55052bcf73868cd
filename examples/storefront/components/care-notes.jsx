'use client';

import Image from 'next/image';
import { VERSION } from '../lib/version';
import seal from './care-seal.png';

export default function CareNotes() {
  return (
    <div className="care" data-care-version={VERSION}>
      <Image src={seal} alt="Repaired by us" />
      <p>Rinse salt off with fresh water and let it dry in the open. Do not put anything away wet.</p>
      <p>Anything that wears out in its first five years we repair for the price of the postage.</p>
    </div>
  );
}
