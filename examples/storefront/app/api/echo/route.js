import { createHash } from 'node:crypto';

export const dynamic = 'force-dynamic';

async function echo(request) {
  const { bodyLength, sha256 } = await digest(request.body);
  return Response.json({
    method: request.method,
    url: request.url,
    headers: Object.fromEntries(request.headers),
    bodyLength,
    sha256,
  });
}

async function digest(body) {
  const hash = createHash('sha256');
  let bodyLength = 0;
  for await (const chunk of body ?? []) {
    hash.update(chunk);
    bodyLength += chunk.byteLength;
  }
  return { bodyLength, sha256: hash.digest('hex') };
}

export {
  echo as GET,
  echo as HEAD,
  echo as POST,
  echo as PUT,
  echo as PATCH,
  echo as DELETE,
  echo as OPTIONS,
};
