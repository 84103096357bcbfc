import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Bed } from '../bed.js';
import { TS_HOOKS } from '../process.js';
import type { LoadOrder, LoadReport } from './orders.js';

/** The process that makes the load. Ends with the part. */
export class Load {
  private constructor(private readonly child: ReturnType<typeof fork>) {}

  static open(bed: Bed): Load {
    const child = fork(join(import.meta.dirname, 'main.ts'), { execArgv: TS_HOOKS });
    bed.onClose(async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      child.kill();
      await ended;
    });
    return new Load(child);
  }

  /** @throws Error with the answer that was none of those that an order permits */
  async run(order: LoadOrder): Promise<LoadReport> {
    this.child.send(order);
    const over = new AbortController();
    const { signal } = over;
    try {
      const [answer] = (await Promise.race([
        once(this.child, 'message', { signal }),
        once(this.child, 'exit', { signal }).then(([code]) => {
          throw new Error(`the load ended with ${String(code)}`);
        }),
      ])) as [{ report?: LoadReport; error?: string }];
      if (!answer.report) throw new Error(answer.error);
      return answer.report;
    } finally {
      over.abort();
    }
  }
}
