// @vitest-environment node
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BUDGETS, check } from '../scripts/size.mjs';
import { TEMPLATE } from '../src/snippet';

const file = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

test('the served script is at most 4 kB and the stub 0.35 kB after gzip', () => {
  expect(BUDGETS).toEqual({ 'f.js': 4000, 'snippet.txt': 350 });
  expect(() => check(() => {})).not.toThrow();
});

test('snippet.txt and the demo page carry the very text of the template', () => {
  expect(file('dist/snippet.txt')).toBe(TEMPLATE);
  expect(file('demo/index.html')).toContain(TEMPLATE);
});
