import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Tests of sizes and of the served script look at what the build makes, so it is built first. */
export default function setup(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/build.mjs', import.meta.url))], { stdio: 'inherit' });
}
