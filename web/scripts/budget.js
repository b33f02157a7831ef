// Weighs what a browser loads before the overview stands, and fails above the limit.
//
// That is index.html and the entry, of which the overview is a part, with all that is imported statically and the styles.
import { readFileSync, rmSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

// 60 kB arrive in under half a second over a 1 Mbit/s line: about as long as a page may take and still feel quick.
const LIMIT = 60_000;

const dist = new URL('../dist/', import.meta.url);
const manifestFolder = new URL('.vite/', dist);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', manifestFolder), 'utf8'));

const files = new Set(['index.html', 'colours.js']);
function add(key) {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`the manifest has no ${key}`);
  if (files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const style of chunk.css ?? []) files.add(style);
  for (const imported of chunk.imports ?? []) add(imported);
}
add('index.html');

let sum = 0;
for (const file of [...files].sort()) {
  const size = gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
  sum += size;
  console.log(`${String(size).padStart(7)}  ${file}`);
}
console.log(`${String(sum).padStart(7)}  first load, bytes gzip (limit ${LIMIT})`);

// The program does not serve it.
rmSync(manifestFolder, { recursive: true });
if (sum > LIMIT) {
  console.error(`the first load is ${sum - LIMIT} bytes too heavy`);
  process.exit(1);
}
