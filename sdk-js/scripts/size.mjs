// Holds the budgets: bytes after gzip. Run by every build, so an overrun cannot be committed unseen.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Gzip budgets in bytes. */
export const BUDGETS = { 'f.js': 4000, 'snippet.txt': 350 };

/** The sizes of the built files; throws, naming the file, when one is over its budget. */
export function check(say = console.log) {
  const sizes = {};
  for (const [name, budget] of Object.entries(BUDGETS)) {
    const bytes = readFileSync(new URL(`../dist/${name}`, import.meta.url));
    const size = gzipSync(bytes, { level: 9 }).length;
    sizes[name] = size;
    say(`${name}: ${bytes.length} bytes, ${size} gzip (budget ${budget})`);
    if (size > budget) throw new Error(`${name} is ${size - budget} bytes over its budget`);
  }
  return sizes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) check();
