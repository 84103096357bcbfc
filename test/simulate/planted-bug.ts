import type { RunOptions } from './simulate.js';
import type { Breach } from './world.js';

/** A mistake that somebody made, somewhere, once; here it is made on purpose, and every one has to be caught. */
export interface PlantedBug {
  readonly name: string;
  readonly what: string;
  /** What may be broken first; a seed that breaks anything else doesn't count. */
  readonly breaks: readonly Breach[];
  readonly options: RunOptions;
}
