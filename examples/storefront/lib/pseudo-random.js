import { createCipheriv, createHash } from 'node:crypto';

const CHUNK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

// Deterministic incompressible bytes: AES-128-CTR over zeros, key 16 × 0x01,
// counter from 0. Yields chunks of at most 64 KiB.
export function* pseudoRandomChunks(total) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  for (let sent = 0; sent < total; sent += CHUNK_BYTES) {
    yield cipher.update(ZEROS.subarray(0, Math.min(CHUNK_BYTES, total - sent)));
  }
}

const digests = new Map();

export function pseudoRandomSha256(total) {
  if (!digests.has(total)) {
    const hash = createHash('sha256');
    for (const chunk of pseudoRandomChunks(total)) hash.update(chunk);
    digests.set(total, hash.digest('hex'));
  }
  return digests.get(total);
}
