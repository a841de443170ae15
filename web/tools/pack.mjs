// Lays each file's gzip and brotli beside it, says what all weigh, and fails where the scripts weigh too much.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** Octets of all scripts together, as gzip. */
const SCRIPTS_MAX = 150 * 1024;

const files = ['dist/index.html', ...readdirSync('dist/assets').map((name) => `dist/assets/${name}`)];
const sizes = {};
for (const file of files) {
  const plain = readFileSync(file);
  const gzip = gzipSync(plain, { level: 9 });
  const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } });
  if (gzip.length < plain.length) writeFileSync(`${file}.gz`, gzip);
  if (brotli.length < plain.length) writeFileSync(`${file}.br`, brotli);
  const kind = file.slice(file.lastIndexOf('.') + 1);
  const sum = (sizes[kind] ??= { plain: 0, gzip: 0, brotli: 0 });
  sum.plain += plain.length;
  sum.gzip += gzip.length;
  sum.brotli += brotli.length;
}
for (const [kind, { plain, gzip, brotli }] of Object.entries(sizes)) {
  const kib = (octets) => `${(octets / 1024).toFixed(1)} KiB`;
  console.log(`web: ${kind.padEnd(5)} ${kib(plain)}, gzip ${kib(gzip)}, brotli ${kib(brotli)}`);
}
if (sizes.js.gzip > SCRIPTS_MAX) {
  console.error(`web: scripts weigh more than ${SCRIPTS_MAX / 1024} KiB as gzip: load what is not needed at once later, or leave it out`);
  process.exit(1);
}
