import { unstable_cache } from 'next/cache';

// A value that changes only when the tag `catalogue` is revalidated.
export const catalogueEdition = unstable_cache(
  async () => ({ edition: Math.random().toString(36).slice(2, 10), at: new Date().toISOString() }),
  ['catalogue-edition'],
  { tags: ['catalogue'], revalidate: 3600 },
);

// Stock figures through the fetch cache, tag `stock`. They come from DATA_URL,
// or else from this shop's own /api/data as reached through `host`.
export async function stockFigures(host, protocol) {
  const { url, headers } = dataSource(host, protocol);
  try {
    const response = await fetch(url, { headers, next: { tags: ['stock'], revalidate: 3600 } });
    if (!response.ok) return { error: `${url} answered ${response.status}` };
    return await response.json();
  } catch (error) {
    return { error: `${url} cannot be reached: ${error.cause?.code ?? error.message}` };
  }
}

function dataSource(host, protocol) {
  if (process.env.DATA_URL) return { url: process.env.DATA_URL, headers: {} };
  const { hostname, port } = new URL(`${protocol}://${host}`);
  // Names under .localhost are this machine (RFC 6761), but not every resolver
  // that Node.js asks knows it.
  const local = hostname === 'localhost' || hostname.endsWith('.localhost');
  const authority = local ? `127.0.0.1${port && `:${port}`}` : host;
  return { url: `${protocol}://${authority}/api/data`, headers: { host } };
}
