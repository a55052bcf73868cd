const GUIDES = {
  knots: { title: 'Four knots', text: 'Bowline, cleat hitch, round turn and two half hitches, sheet bend.' },
  lantern: { title: 'Trimming a lantern', text: 'Cut the wick straight, light it low, raise it after a minute.' },
};

export const BUILT_GUIDES = ['knots'];

// Besides the two written guides any `note-<number>` has a page, rendered when
// it is first asked for.
export function guideBySlug(slug) {
  const note = /^note-(\d{1,4})$/.exec(slug);
  return GUIDES[slug] ?? (note && { title: `Note ${note[1]}`, text: 'Written on demand.' });
}
