// Builds dist/: f.js (the served script), footfall.js (the module), snippet.txt (what sites paste).
import { build } from 'rolldown';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './size.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const shared = {
  cwd: root,
  transform: { target: 'es2020', define: { __VERSION__: JSON.stringify(version) } },
};

await build({
  ...shared,
  input: 'src/script.ts',
  output: {
    file: 'dist/f.js',
    format: 'iife',
    minify: true,
    comments: false,
    postBanner: `/*! footfall-js ${version} | Apache-2.0 */`,
  },
});
await build({ ...shared, input: 'src/index.ts', output: { file: 'dist/footfall.js', format: 'esm' } });
const { output } = await build({ ...shared, input: 'src/snippet.ts', output: { format: 'esm' }, write: false });
const { TEMPLATE } = await import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString('base64')}`);
writeFileSync(`${root}dist/snippet.txt`, TEMPLATE);
check();
