import { createHash } from 'node:crypto';

export const config = { api: { bodyParser: false } };

export default async function echo(req, res) {
  const hash = createHash('sha256');
  let bodyLength = 0;
  for await (const chunk of req) {
    hash.update(chunk);
    bodyLength += chunk.length;
  }
  res.json({ method: req.method, url: req.url, headers: req.headers, bodyLength, sha256: hash.digest('hex') });
}
