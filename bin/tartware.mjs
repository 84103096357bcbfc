#!/usr/bin/env node
// `npx tartware …` in a checkout. Written for any Node that npx may find: nothing here needs a recent one.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const entry = join(root, 'dist', 'src', 'cli.js');
const pinned = join(root, 'node_modules', 'node', 'bin', 'node');

/** Runs a program in place of this one, as far as the caller can see. */
function hand(program, args, options) {
  const { status, signal, error } = spawnSync(program, args, { stdio: 'inherit', ...options });
  if (error) throw error;
  if (signal) process.kill(process.pid, signal);
  return status ?? 1;
}

if (Number(process.versions.node.split('.')[0]) < 22 && existsSync(pinned) && process.execPath !== pinned) {
  process.exit(hand(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]));
}
if (!existsSync(entry)) {
  process.stderr.write('tartware: building first (npm run build) …\n');
  // Its output goes to stderr: stdout is the command's own, and may be read by a program.
  const status = hand(process.execPath, [join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status);
}
await import(pathToFileURL(entry).href);
