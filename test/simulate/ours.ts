import { DeadLetterOperations } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import { Lane } from '../../src/modules/outbox/relay/lane.js';
import { Leases } from '../../src/modules/outbox/relay/leases.js';
import { LowWater } from '../../src/modules/outbox/relay/low-water.js';
import { Sender } from '../../src/modules/outbox/relay/sender.js';
import { Auditor } from './auditor.js';
import { consumerStatements } from './consumer-statements.js';
import { type Doubles, LEASE_MS, TOPIC } from './house.js';
import { readModel } from './read-model.js';
import { SimulatedLeases, SimulatedQueue } from './relay-stores.js';
import { MAX_RETRIES } from './watch.js';

/** The house as it is built, without a planted bug. */
export const OURS: Doubles = {
  queue: (proc, { db, watch }) => new SimulatedQueue(proc, db, watch),
  leaseStore: (proc, { db }) => new SimulatedLeases(proc, db),
  leases: (store, owner, monotonic) => new Leases(store, owner, LEASE_MS, monotonic),
  sender: (log) => new Sender(log, TOPIC),
  lane: (number, parts) => new Lane(number, parts),
  lowWater: (queue, owner) => new LowWater(queue, owner),
  statements: consumerStatements,
  applier: null,
  operations: (work) => new DeadLetterOperations(work),
  projector: readModel,
  maxRetries: MAX_RETRIES,
  firstOffset: (ours) => ours,
  auditor: (house) => new Auditor(house),
  mayDrop: (watch, month) =>
    [...watch.truth.values()].every(
      (event) => event.month !== month || (watch.applied(event) && !watch.db.isQueued(event)),
    ),
};
