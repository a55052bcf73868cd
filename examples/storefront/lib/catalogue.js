// Prices are in cents. `flag` is the letter of the international signal flag
// that marks the product.
const PRODUCTS = [
  {
    slug: 'harbour-mug',
    name: 'Harbour mug',
    flag: 'M',
    price: 1800,
    line: 'Enamel on steel, 35 cl',
    about: 'Two coats of enamel over pressed steel. It goes on the stove, in the fire, and over the side on a lanyard.',
    facts: { Material: 'Enamelled steel', Holds: '35 cl', Weight: '140 g' },
  },
  {
    slug: 'deck-lantern',
    name: 'Deck lantern',
    flag: 'L',
    price: 9400,
    line: 'Burns 20 hours on one fill',
    about: 'A paraffin lantern that stays lit in a blow. The guard wires are soldered, not clipped, so nothing rattles at night.',
    facts: { Material: 'Galvanised steel, glass', Burns: '20 hours', Height: '31 cm' },
  },
  {
    slug: 'pocket-compass',
    name: 'Pocket compass',
    flag: 'C',
    price: 6200,
    line: 'Liquid filled, brass case',
    about: 'A damped card that settles in three seconds and a lid that closes with a click you can hear over an engine.',
    facts: { Material: 'Brass, mineral glass', Settles: '3 seconds', Diameter: '58 mm' },
  },
  {
    slug: 'manila-line',
    name: 'Manila line',
    flag: 'R',
    price: 3400,
    line: 'Three-strand, 10 metres',
    about: 'Natural fibre that grips a cleat and darkens with use. Whipped at both ends, coiled by hand.',
    facts: { Material: 'Abacá fibre', Diameter: '12 mm', Length: '10 m' },
  },
  {
    slug: 'estuary-log',
    name: 'Estuary log book',
    flag: 'E',
    price: 2600,
    line: '192 pages of stone paper',
    about: 'Write in the rain with a pencil. Columns for wind, sea state and course, and a blank page opposite for everything else.',
    facts: { Material: 'Stone paper, cloth', Pages: '192', Format: '148 × 210 mm' },
  },
  {
    slug: 'watch-cap',
    name: 'Watch cap',
    flag: 'H',
    price: 3800,
    line: 'Ribbed lambswool',
    about: 'Knitted in one piece with a deep cuff that covers the ears on the four-to-eight and folds away by breakfast.',
    facts: { Material: 'Lambswool', Size: 'One size', Care: 'Wash cold' },
  },
  {
    slug: 'ships-bell',
    name: 'Ship’s bell',
    flag: 'B',
    price: 12000,
    line: 'Cast bronze, 15 cm',
    about: 'Cast, turned and tuned. Carries half a mile in fog, or across one garden at supper time.',
    facts: { Material: 'Bronze', Diameter: '15 cm', Weight: '2.1 kg' },
  },
  {
    slug: 'signal-set',
    name: 'Signal set',
    flag: 'S',
    price: 14500,
    line: 'All 26 letters, sewn',
    about: 'The complete alphabet in sewn polyester with brass Inglefield clips. Spell what you like from any halyard or balcony.',
    facts: { Material: 'Spun polyester', Flags: '26', Size: '30 × 36 cm' },
  },
];

const PRINT_SLUG = /^print-([1-9]\d{0,3})$/;

export function products() {
  return PRODUCTS;
}

// Numbered prints (print-1 … print-9999) are not in the list: their pages are
// rendered on demand.
export function productBySlug(slug) {
  return PRODUCTS.find((product) => product.slug === slug) ?? numberedPrint(slug);
}

function numberedPrint(slug) {
  const number = PRINT_SLUG.exec(slug)?.[1];
  if (!number) return undefined;
  return {
    slug,
    name: `Harbour print No. ${number}`,
    flag: 'W',
    price: 4800,
    image: '/pictures/print.jpg',
    line: 'Numbered letterpress print',
    about: `Number ${number} of 9999, printed when somebody first asks for it.`,
    facts: { Material: 'Cotton paper', Format: '30 × 40 cm', Number: number },
  };
}

export function imageOf(product) {
  return product.image ?? `/pictures/${product.slug}.jpg`;
}

export function formatPrice(cents) {
  return new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' }).format(cents / 100);
}
