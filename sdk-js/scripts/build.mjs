// Builds dist/: f.js (the served script), footfall.js (the module), snippet.txt (what sites paste).
import { build } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './size.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const shared = {
  absWorkingDir: root,
  bundle: true,
  target: 'es2020',
  define: { __VERSION__: JSON.stringify(version) },
};

await build({
  ...shared,
  entryPoints: ['src/script.ts'],
  outfile: 'dist/f.js',
  format: 'iife',
  minify: true,
  banner: { js: `/*! footfall-js ${version} | Apache-2.0 */` },
});
await build({ ...shared, entryPoints: ['src/index.ts'], outfile: 'dist/footfall.js', format: 'esm' });
const { outputFiles } = await build({
  ...shared,
  entryPoints: ['src/snippet.ts'],
  format: 'esm',
  write: false,
});
const { TEMPLATE } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`
);
writeFileSync(`${root}dist/snippet.txt`, TEMPLATE);
check();
