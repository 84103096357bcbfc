import type { LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import type { QueueStore } from '../../src/modules/outbox/persistence/queue-store.js';
import { LANES } from '../../src/modules/outbox/domain/slots.js';
import type { Sender } from '../../src/modules/outbox/relay/sender.js';
import type { EventLog, LogRecord } from '../../src/platform/event-log/event-log.js';
import { type House, LEASE_MS, loop, SILENT } from './house.js';
import { RETRY_SCHEDULE_MS } from './watch.js';
import { Proc } from './world.js';

const LOW_WATER_EVERY_MS = 400;
/** The safety net of a lane that was not woken. */
const SWEEP_MS = 600;

/** Starts a relay: our leases, lanes and sender, driven by simulated loops. */
export function startRelay(house: House, name: string, skewMs: number, batchSize: number): Proc {
  const { world, log, doubles } = house;
  const proc = new Proc(name, skewMs);
  const leases = doubles.leases(doubles.leaseStore(proc, house) as LeaseStore, name, () => world.now);
  const port = { append: (_topic: string, records: readonly LogRecord[]) => log.append(proc, records) };
  const parts = {
    leases,
    queue: doubles.queue(proc, house) as QueueStore,
    sender: doubles.sender(port as unknown as EventLog, house) as Sender,
    partitions: async () => log.partitions.length,
    batchSize,
    retryScheduleMs: RETRY_SCHEDULE_MS,
    leasesChanged: () => proc.wake(),
    log: SILENT,
    random: () => world.random.next(),
  };
  const lowWater = doubles.lowWater(parts.queue, name);
  house.relays.add(proc);
  const loops = [
    loop(house, proc, LEASE_MS / 3, async () => {
      if (await leases.renew()) proc.wake();
      return false;
    }),
    loop(house, proc, LOW_WATER_EVERY_MS, async () => {
      const held = leases.holding();
      if (held.length > 0) await lowWater.step(held);
      return false;
    }),
    ...Array.from({ length: LANES }, (_, number) => {
      const lane = doubles.lane(number, parts);
      return loop(house, proc, SWEEP_MS, () => lane.step());
    }),
  ];
  void Promise.all(loops).then(async () => {
    await leases.retire().catch(() => undefined);
    proc.alive = false;
  });
  world.note(() => `${name} starts`);
  return proc;
}
