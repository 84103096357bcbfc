import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A TypeScript file of `test/support/children` that runs as a process of its own. */
export interface Child {
  readonly process: ChildProcess;
  /** Its next line on stdout, parsed. @throws Error with its stderr when it ended before */
  line<T>(): Promise<T>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts `test/support/children/<name>.ts`. */
export function startChild(name: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const support = import.meta.dirname;
  const child = spawn(
    process.execPath,
    ['--import', join(support, 'ts-hooks.mjs'), join(support, 'children', `${name}.ts`), ...args],
    { ...options, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    async line<T>(): Promise<T> {
      const next = await lines.next();
      if (next.done) throw new Error(`${name} ended without a word: ${stderr}`);
      return JSON.parse(next.value) as T;
    },
    async end(signal) {
      child.kill(signal);
      await closed;
    },
  };
}
