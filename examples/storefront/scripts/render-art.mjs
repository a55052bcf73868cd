// Turns the drawings in art/ into the pictures in public/pictures/, which are
// committed: run it by hand after changing a drawing.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = new URL('../', import.meta.url);
const SIZE = 1000;

for (const file of readdirSync(new URL('art/', root))) {
  const from = fileURLToPath(new URL(`art/${file}`, root));
  const to = fileURLToPath(new URL(`public/pictures/${file.replace(/svg$/, 'jpg')}`, root));
  const { size } = await sharp(from, { density: 144 })
    .resize(SIZE, SIZE)
    .jpeg({ quality: 82, mozjpeg: true, chromaSubsampling: '4:4:4' })
    .toFile(to);
  console.log(`${file}: ${size} bytes`);
}
