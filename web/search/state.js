// What is being looked for: it stands in the address, so that it can be shared and gone back to.

const NAMES = [
  'keyword',
  'autocorrect',
  'sort',
  'minPrice',
  'maxPrice',
  'minRating',
  'capacity',
  'district',
  'roomType',
  'facilities',
  'lat',
  'lon',
  'datum',
  'radiusKm',
];

/** What counts as a filter, for the number beside the word. */
export const FILTERS = [
  'minPrice',
  'maxPrice',
  'minRating',
  'capacity',
  'district',
  'roomType',
  'facilities',
  'radiusKm',
];

export function read() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(NAMES.flatMap((name) => (query.get(name) ? [[name, query.get(name)]] : [])));
}

export function write(state) {
  const query = new URLSearchParams();
  for (const name of NAMES) if (state[name]) query.set(name, state[name]);
  const address = query.toString() ? `?${query}` : location.pathname;
  if (address !== location.search) history.pushState(undefined, '', address);
}

/** As the API has it: prices in fen. */
export function parameters({ minPrice, maxPrice, ...rest }) {
  const fen = (yuan) => (yuan ? Math.round(Number(yuan) * 100) : undefined);
  return { ...rest, minPriceFen: fen(minPrice), maxPriceFen: fen(maxPrice) };
}
