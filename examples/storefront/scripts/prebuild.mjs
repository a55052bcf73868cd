// Writes the public files that differ per build or are too large to commit, and
// forgets what an earlier `next start` cached here: OpenNext would ship it.
import { createCipheriv } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';

const publicDir = new URL('../public/', import.meta.url);
const LARGE_BYTES = 2 * 1024 * 1024;

const version = process.env.STOREFRONT_VERSION || 'v1';
writeFileSync(new URL('version.txt', publicDir), `${version}\n`);

// A cipher stream over zeros: the same incompressible bytes on every machine.
const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
writeFileSync(new URL('large.bin', publicDir), cipher.update(Buffer.alloc(LARGE_BYTES)));

rmSync(new URL('../.next/cache/fetch-cache', import.meta.url), { recursive: true, force: true });
