import type { LoopStatus } from './loop.js';

/** A loop as the probes see it: a WorkerLoop, or what moves by other means. */
export interface WatchedLoop {
  readonly name: string;
  status(): LoopStatus;
}

/** The loops of this process, for its probes. */
export class LoopRegistry {
  private readonly loops = new Map<string, WatchedLoop>();

  /** Adds a loop and gives it back. @throws Error when its name is taken */
  add<T extends WatchedLoop>(loop: T): T {
    if (this.loops.has(loop.name)) throw new Error(`two loops are named ${loop.name}`);
    this.loops.set(loop.name, loop);
    return loop;
  }

  /** How each of them is doing, in the order they were added. */
  statuses(): LoopStatus[] {
    return [...this.loops.values()].map((loop) => loop.status());
  }
}
