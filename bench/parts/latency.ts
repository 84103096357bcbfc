import { appendChanges, onEventsCommitted } from '../../src/modules/outbox/contract/append-changes.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { newId, type TenantId } from '../../src/platform/kernel/ids.js';
import type { Bed } from '../bed.js';
import { consume, quiet } from '../consumer.js';
import { alone, Samples, type Part } from '../measure.js';

const tenantId = newId() as TenantId;
const propertyId = newId();

/** The data of a reservation of two nights. */
const DATA = {
  propertyId,
  confirmationNumber: 'ABCD2345',
  status: 'CONFIRMED',
  roomTypeId: propertyId,
  ratePlanId: propertyId,
  guestId: propertyId,
  arrival: '2027-03-01',
  departure: '2027-03-03',
  dayUse: false,
  adults: 2,
  children: 0,
  babies: 0,
  currency: 'EUR',
  nightlyMinor: [10_000, 10_000],
  roomNumber: null,
  origin: 'http',
  externalId: null,
  previous: null,
};

/** Books as the reservation desk does: what comes in while two transactions run goes together into the next one. */
class Desk {
  readonly committedAt = new Map<string, number>();
  readonly failures: Error[] = [];
  private readonly waiting: string[] = [];
  private readonly flying = new Set<Promise<void>>();

  constructor(private readonly bed: Bed) {}

  submit(): void {
    this.waiting.push(newId());
    this.work();
  }

  async settled(): Promise<void> {
    while (this.flying.size > 0) await Promise.race(this.flying);
    if (this.failures[0]) throw this.failures[0];
  }

  private work(): void {
    while (this.flying.size < 2 && this.waiting.length > 0) {
      const list = this.waiting.splice(0, 64);
      const one = this.book(list)
        .catch((error: Error) => void this.failures.push(error))
        .finally(() => {
          this.flying.delete(one);
          this.work();
        });
      this.flying.add(one);
    }
  }

  private async book(ids: readonly string[]): Promise<void> {
    const ctx = makeContext({ tenantId, subject: 'bench', permissions: ['*'], source: 'system' });
    await this.bed.uow.run(ctx, 'bench.book', (tx) =>
      appendChanges(
        tx,
        ctx,
        ids.map((aggregateId) => ({
          aggregateType: 'reservation',
          aggregateId,
          version: 1,
          type: 'reservation.created',
          data: DATA,
          changes: {},
        })),
      ),
    );
    const now = performance.now();
    for (const id of ids) this.committedAt.set(id, now);
  }
}

/** Times from commit to applied at `rate` commits a second for `seconds`. */
export async function latencyAt(
  bed: Bed,
  kind: 'kafka' | 'embedded',
  { rate, seconds, say }: { rate: number; seconds: number; say: (line: string) => void },
): Promise<Samples> {
  await bed.clear();
  const { log, topic } = await bed.log(kind, kind === 'kafka' ? 8 : 2);
  const relay = new OutboxRelay(
    bed.work,
    log,
    { topic, leaseMs: 10_000, sweepIntervalMs: 1_000, batchSize: 500, retryScheduleMs: [1_000] },
    quiet,
  );
  const appliedAt = new Map<string, number>();
  const subscription = await consume(bed, log, topic, ({ records }, next) => {
    const now = performance.now();
    for (const { offset, value } of records)
      if (offset < next) appliedAt.set((JSON.parse(value!.toString()) as EventEnvelope).aggregateId, now);
  });
  relay.start();
  const deaf = onEventsCommitted(() => relay.wake());
  const desk = new Desk(bed);
  // The first ones wake everything up, and don't count.
  const warmUp = Math.ceil(rate);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  for (let n = 0; n < warmUp + rate * seconds; n++) {
    const due = begun + (n * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (n === warmUp) {
      await desk.settled();
      desk.committedAt.clear();
    }
    desk.submit();
  }
  await desk.settled();
  const { user, system } = process.cpuUsage(cpu);
  say(`cpu of this process ${((user + system) / 10 / (performance.now() - begun)).toFixed(0)} %`);
  const late = performance.now() + 30_000;
  while ([...desk.committedAt.keys()].some((key) => !appliedAt.has(key))) {
    if (performance.now() > late) throw new Error('some events were not applied within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  deaf();
  await subscription.stop();
  await relay.stop();
  const [stages] = await bed.sql<{ log: number; effect: number }>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.published_at - e.occurred_at)) * 1000 AS log,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM i.applied_at - r.published_at)) * 1000 AS effect
       FROM outbox_events e JOIN event_receipts r USING (tenant_id, aggregate_id, key_seq, occurred_at)
       JOIN event_inbox i USING (tenant_id, aggregate_id, key_seq, occurred_at)`,
  );
  say(
    `${kind}, ${rate}/s: from the transaction's begin to the log p50 ${stages!.log.toFixed(1)} ms, on to the effect ${stages!.effect.toFixed(1)} ms`,
  );
  const samples = new Samples();
  for (const [key, committed] of desk.committedAt) samples.add(Math.max(0, appliedAt.get(key)! - committed));
  return samples;
}

/** From the commit to the committed effect, relay and consumer in one process, as APP_MODE=all runs them. */
export const latency: Part = async (bed, { quick, say }) => {
  const measures: Record<string, ReturnType<typeof alone>> = {};
  for (const kind of ['kafka', 'embedded'] as const) {
    // A broker that has just started compiles itself for half a minute.
    if (kind === 'kafka')
      await latencyAt(bed, kind, { rate: 500, seconds: quick ? 8 : 30, say: () => undefined });
    for (const rate of [20, 500]) {
      const samples = await latencyAt(bed, kind, { rate, seconds: quick ? 4 : 30, say });
      const name = `${kind}, ${rate}/s`;
      measures[`${name} p50`] = alone(samples.p50, 'ms');
      measures[`${name} p99`] = alone(samples.p99, 'ms');
      say(`${name}: p50 ${samples.p50.toFixed(1)} ms, p99 ${samples.p99.toFixed(1)} ms of ${samples.count}`);
    }
  }
  return measures;
};
