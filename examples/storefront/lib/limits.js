// A number from the query string, held between min and max.
export function boundedInt(params, name, { fallback, min, max }) {
  const n = Number.parseInt(params.get(name) ?? '', 10);
  return Number.isNaN(n) ? fallback : Math.min(Math.max(n, min), max);
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
