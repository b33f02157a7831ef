// Writes a .gz and a .br beside each file of dist above 1 kB, so that the program need not compress at run time.
//
// The same input gives the same bytes: zlib writes neither a time nor a file name into the header.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

// Below this the header of an answer is as long as what is saved.
const SMALLEST = 1024;

const dist = new URL('../dist/', import.meta.url);
const names = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(gz|br)$/.test(entry.name))
  .map((entry) => `${entry.parentPath}/${entry.name}`)
  .sort();

for (const name of names) {
  const bytes = readFileSync(name);
  if (bytes.length <= SMALLEST) continue;
  writeFileSync(`${name}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(
    `${name}.br`,
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  );
}
