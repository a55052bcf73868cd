'use client';

import dynamic from 'next/dynamic';
import { useState } from 'react';

// Loaded on the first click only: a page that was opened before a release
// asks for this chunk of the old build after it.
const CareNotes = dynamic(() => import('./care-notes'));

export function CareToggle() {
  const [open, setOpen] = useState(false);
  return (
    <section>
      <button type="button" className="button quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
        Care and repair
      </button>
      {open && <CareNotes />}
    </section>
  );
}
