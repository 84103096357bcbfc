import type { LoopStatus, WorkerLoop } from './loop.js';

/** The loops of this process, for its probes. */
export class LoopRegistry {
  private readonly loops = new Map<string, WorkerLoop>();

  /** Adds a loop and gives it back. @throws Error when its name is taken */
  add(loop: WorkerLoop): WorkerLoop {
    if (this.loops.has(loop.name)) throw new Error(`two loops are named ${loop.name}`);
    this.loops.set(loop.name, loop);
    return loop;
  }

  /** How each of them is doing, in the order they were added. */
  statuses(): LoopStatus[] {
    return [...this.loops.values()].map((loop) => loop.status());
  }
}
