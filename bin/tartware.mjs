#!/usr/bin/env node
// `npx tartware …` in a checkout. Any Node that npx may find runs this far: nothing here needs a recent one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const entry = join(root, 'dist', 'src', 'cli.js');
const pinned = join(root, 'node_modules', 'node', 'bin', 'node');

/** Runs a program and passes signals on to it, so that it may end as it sees fit; answers its exit code. */
function run(program, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    // At a terminal Ctrl-C reaches the child by itself; this process only has to outlive it.
    const wait = () => undefined;
    const forward = () => child.kill('SIGTERM');
    process.on('SIGINT', wait).on('SIGTERM', forward);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', wait).off('SIGTERM', forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(pinned) && process.execPath !== pinned) {
    process.exitCode = await run(pinned, process.argv.slice(1), { stdio: 'inherit' });
    return;
  }
  if (!existsSync(entry)) {
    process.stderr.write('tartware: building first (npm run build) …\n');
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    // Its output goes to stderr: stdout is the command's own, and may be read by a program.
    const options = { cwd: root, stdio: ['ignore', 2, 2] };
    const code = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], options);
    if (code !== 0) {
      process.exitCode = code;
      return;
    }
  }
  // Absent in the oldest Node that gets this far; elsewhere a later command needn't compile everything again.
  module.enableCompileCache?.();
  await import(pathToFileURL(entry).href);
}

await main();
