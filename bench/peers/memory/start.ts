import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../../bed.js';
import { startService, TS_HOOKS, type ServiceProcess } from '../../process.js';

const AT_ONCE = 4;

/** An answer as it was recorded. */
export interface Recorded {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function ask({ port }: ServiceProcess, token: string, path: string): Promise<Recorded> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = await answer.text();
  if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${body}`);
  const headers = ['content-type', 'etag'].flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { status: 200, headers: Object.fromEntries(headers) as Record<string, string>, body };
}

/**
 * A service of our own HTTP set-up that answers from memory what `ours` answered to `paths`, under the same tokens.
 * @throws Error when it doesn't answer the same bytes
 */
export async function startMemory(
  bed: Bed,
  ours: ServiceProcess,
  token: string,
  paths: readonly string[],
): Promise<ServiceProcess> {
  const recorded: Record<string, Recorded> = {};
  const left = [...paths];
  const record = async (): Promise<void> => {
    for (let path = left.pop(); path !== undefined; path = left.pop())
      recorded[path] = await ask(ours, token, path);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, record));
  const answers = join(bed.home, 'answers.json');
  await writeFile(answers, JSON.stringify(recorded));
  const memory = await startService(bed, 'memory', [...TS_HOOKS, join(import.meta.dirname, 'main.ts')], {
    ready: '/health',
    env: { TARTWARE_HOME: bed.home, MEMORY_ANSWERS: answers },
  });
  for (const path of [paths[0]!, paths.at(-1)!]) {
    const answered = await ask(memory, token, path);
    if (JSON.stringify(answered) !== JSON.stringify(recorded[path]))
      throw new Error(`not the same from memory: ${path}`);
  }
  return memory;
}
