import type { BatchApplier } from '../../src/modules/consumer/processing/batch-applier.js';
import { kindOf } from '../../src/modules/consumer/processing/failures.js';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import { FencedError } from '../../src/modules/consumer/persistence/fenced-error.js';
import type { OffsetStore } from '../../src/modules/consumer/persistence/offset-store.js';
import type { Projectors } from '../../src/modules/consumer/contract/projector.js';
import type { DeadLetterOperations } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import type { LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import type { QueueStore } from '../../src/modules/outbox/persistence/queue-store.js';
import type { Lane, LaneParts } from '../../src/modules/outbox/relay/lane.js';
import type { Leases } from '../../src/modules/outbox/relay/leases.js';
import type { LowWater } from '../../src/modules/outbox/relay/low-water.js';
import type { Sender } from '../../src/modules/outbox/relay/sender.js';
import type { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { type EventLog, RecordRefusedError } from '../../src/platform/event-log/event-log.js';
import type { LoopLog } from '../../src/platform/worker/loop.js';
import type { Database } from './database.js';
import type { Group, Log } from './log.js';
import type { Watch } from './watch.js';
import type { Shape, Statements } from './work.js';
import type { Proc, World } from './world.js';

export const TOPIC = 'events';
export const LEASE_MS = 1_000;
export const SILENT: LoopLog = { warn: () => undefined, error: () => undefined };

/** One simulated installation: its servers, its processes, and who watches over it. */
export interface House {
  readonly world: World;
  readonly db: Database;
  readonly log: Log;
  readonly group: Group;
  readonly watch: Watch;
  readonly relays: Set<Proc>;
  readonly doubles: Doubles;
}

/** Looks after what stands still: by itself, and with an operator's rights. */
export interface Keeper {
  step(): void;
  operate(): void;
}

/** What the house is made of: our own code over simulated servers. A planted bug replaces one part, or a few. */
export interface Doubles {
  readonly queue: (proc: Proc, house: House) => Shape<QueueStore>;
  readonly leaseStore: (proc: Proc, house: House) => Shape<LeaseStore>;
  readonly leases: (store: LeaseStore, owner: string, monotonic: () => number) => Leases;
  readonly sender: (log: EventLog, house: House) => Shape<Sender>;
  readonly lane: (number: number, parts: LaneParts) => Pick<Lane, 'step'>;
  readonly lowWater: (queue: QueueStore, owner: string) => Pick<LowWater, 'step'>;
  readonly statements: (watch: Watch) => Statements;
  /** Null: the processor's own. */
  readonly applier:
    ((work: BackgroundWork, offsets: OffsetStore, projectors: Projectors) => Shape<BatchApplier>) | null;
  /** What operators do with dead letters. */
  readonly operations: (work: BackgroundWork) => Pick<DeadLetterOperations, 'replay' | 'skip'>;
  readonly projector: (house: House, work: BackgroundWork) => Projector;
  readonly maxRetries: number;
  /** The offset to read from, given the database's and what the broker keeps. */
  readonly firstOffset: (ours: number, brokers: number) => number;
  readonly auditor: (house: House) => Keeper;
  /** Whether a month of the event table may go. */
  readonly mayDrop: (watch: Watch, month: number) => boolean;
}

/** An error that a loop of the house backed off from: one that nobody expects ends the run. */
export function expectable({ world }: House, proc: Proc, error: unknown): void {
  world.note(() => `${proc.name}: ${String(error)}`);
  if (error instanceof FencedError) world.bit('consumers fenced');
  if (!['infrastructure', 'suspect'].includes(kindOf(error)) && !(error instanceof RecordRefusedError))
    world.broken(
      'CRASH',
      `${proc.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
}

/** The shape of every loop: at once while there is more, else after a while or a wake-up; errors are backed off from. */
export async function loop(
  house: House,
  proc: Proc,
  intervalMs: number,
  step: () => Promise<boolean>,
): Promise<void> {
  while (!proc.leaving) {
    try {
      if (await step()) continue;
    } catch (error) {
      expectable(house, proc, error);
      await house.world.sleep(proc, house.world.random.between(10, 60));
      continue;
    }
    if (!proc.leaving) await house.world.nap(proc, intervalMs);
  }
}

/** Kills a process: it hears nothing any more, and what it had open is rolled back when the server notices. */
export function kill({ world, db }: House, proc: Proc): void {
  world.note(() => `kill -9 ${proc.name}`);
  proc.alive = false;
  db.abandon(proc);
}
