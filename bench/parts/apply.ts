import type { Kafka } from 'kafkajs';
import { toLogRecord } from '../../src/modules/outbox/domain/envelope.js';
import { partitionOf } from '../../src/modules/outbox/domain/slots.js';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import type { EventLog, LogRecord } from '../../src/platform/event-log/event-log.js';
import { addDays, isoDate } from '../../src/platform/kernel/dates.js';
import { newId } from '../../src/platform/kernel/ids.js';
import type { Bed } from '../bed.js';
import { consume } from '../consumer.js';
import { alone, type Measure, type Part, timed } from '../measure.js';
import { kafkajs } from '../peers/kafkajs.js';
import { inRounds, type Runner } from '../rounds.js';

const UNIT = 'events/s';
/** Events of one call of `append`. */
const CHUNK = 2_000;
const YEAR = 365;
const FIRST_NIGHT = isoDate('2027-01-01');

/** Events as reservations make them: of 10 tenants with 5 properties each, two to four nights within a year. */
class Bookings {
  private readonly tenants = Array.from({ length: 10 }, () => ({
    tenantId: newId(),
    properties: Array.from({ length: 5 }, () => newId()),
  }));
  private made = 0;

  constructor(private readonly partitions: number) {}

  /** Of the next `keys` reservations: created, and modified as often as `perKey` says, in the order of their keys' versions. */
  next(keys: number, perKey: number): LogRecord[] {
    const stays = Array.from({ length: keys }, () => this.stay());
    return Array.from({ length: perKey }, (_, i) => stays.map((stay) => this.record(stay, i + 1))).flat();
  }

  private stay(): { readonly tenantId: string; readonly aggregateId: string; readonly state: object } {
    const n = this.made++;
    const { tenantId, properties } = this.tenants[n % this.tenants.length]!;
    const arrival = addDays(FIRST_NIGHT, (n * 7) % YEAR);
    const nights = 2 + (n % 3);
    const state = {
      propertyId: properties[n % properties.length]!,
      confirmationNumber: 'ABCD2345',
      status: 'CONFIRMED',
      roomTypeId: newId(),
      ratePlanId: newId(),
      guestId: newId(),
      arrival,
      departure: addDays(arrival, nights),
      dayUse: false,
      adults: 2,
      children: 0,
      babies: 0,
      currency: 'EUR',
      nightlyMinor: Array.from({ length: nights }, () => 12_000),
      roomNumber: null,
    };
    return { tenantId, aggregateId: newId(), state };
  }

  private record({ tenantId, aggregateId, state }: ReturnType<Bookings['stay']>, keySeq: number): LogRecord {
    const slot = slotOf(aggregateId);
    const previous = keySeq === 1 ? null : state;
    const eventId = newId();
    return toLogRecord(
      {
        slot,
        priority: 0,
        queueId: '0',
        tenantId,
        aggregateId,
        keySeq,
        occurredAt: `${new Date().toISOString().slice(0, -1)}000Z`,
        eventId,
        aggregateType: 'reservation',
        type: keySeq === 1 ? 'reservation.created' : 'reservation.modified',
        version: 1,
        data: JSON.stringify({ ...state, adults: keySeq, origin: 'http', externalId: null, previous }),
        correlationId: eventId,
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        attempts: 0,
      },
      partitionOf(slot, this.partitions),
    );
  }
}

/** How many events are applied. */
class Count {
  applied = 0;
  private awaiting: { readonly count: number; readonly reached: () => void } | null = null;

  add(events: number): void {
    this.applied += events;
    if (this.awaiting && this.applied >= this.awaiting.count) this.awaiting.reached();
  }

  /** Resolves once `count` events are applied. */
  reaches(count: number): Promise<void> {
    return new Promise((reached) => {
      this.awaiting = { count, reached };
      this.add(0);
    });
  }
}

async function append(log: EventLog, topic: string, records: readonly LogRecord[]): Promise<void> {
  for (let from = 0; from < records.length; from += CHUNK)
    await log.append(topic, records.slice(from, from + CHUNK));
}

/** A database in which nothing was applied. */
async function unapplied(bed: Bed): Promise<void> {
  await bed.clear();
  await bed.sql('TRUNCATE occupancy_nights');
}

const counting =
  (count: Count): Parameters<typeof consume>[3] =>
  ({ records }, next) =>
    count.add(Number(next - records[0]!.offset));

/** From joining the group to the commit of the last event's effect. */
const ours = (bed: Bed, log: EventLog, topic: string, measure: string, events: number): Runner => ({
  name: 'tartware',
  async round() {
    await unapplied(bed);
    const { result, ms } = await timed(async () => {
      const count = new Count();
      const subscription = await consume(bed, log, topic, counting(count));
      await count.reaches(events);
      return subscription;
    });
    await result.stop();
    const [{ n }] = (await bed.sql<{ n: number }>(`SELECT count(*)::int AS n FROM event_inbox`)) as [
      { n: number },
    ];
    if (n !== events) throw new Error(`${n} of ${events} events are in the inbox`);
    return { [measure]: events / (ms / 1000) };
  },
});

/** kafkajs reading the same topic, from joining the group to the last record; it commits offsets and does nothing else. */
const rawConsumer = (kafka: Kafka, topic: string, measure: string, events: number): Runner => ({
  name: 'kafkajs, no effect',
  async round() {
    const consumer = kafka.consumer({ groupId: newId() });
    await consumer.connect();
    let read = 0;
    const { ms } = await timed(async () => {
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        consumer
          .run({
            partitionsConsumedConcurrently: 4,
            eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
              for (const { offset } of batch.messages) resolveOffset(offset);
              await commitOffsetsIfNecessary();
              await heartbeat();
              read += batch.messages.length;
              if (read === events) resolve();
            },
          })
          .catch(reject);
      });
    });
    await consumer.disconnect();
    return { [measure]: events / (ms / 1000) };
  },
});

/** How fast a backlog of `backlog` events shrinks, events a second, while `rate` a second come in for `seconds`. */
async function catchingUp(
  bed: Bed,
  { backlog, rate, seconds }: { backlog: number; rate: number; seconds: number },
): Promise<Measure> {
  await unapplied(bed);
  const { log, topic } = await bed.log('kafka');
  const bookings = new Bookings(8);
  await append(log, topic, bookings.next(backlog, 1));
  const count = new Count();
  const subscription = await consume(bed, log, topic, counting(count));
  const begun = performance.now();
  let produced = backlog;
  let fall = 0;
  const every = 50;
  for (let turn = 1; turn <= (seconds * 1000) / every; turn++) {
    const records = bookings.next((rate * every) / 1000, 1);
    await log.append(topic, records);
    produced += records.length;
    const elapsed = performance.now() - begun;
    const lag = produced - count.applied;
    // Until the backlog is gone: what is left then is what just came in.
    if (fall === 0 && lag <= rate) fall = (backlog - lag) / (elapsed / 1000);
    const wait = turn * every - elapsed;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  if (fall === 0) fall = (backlog - (produced - count.applied)) / ((performance.now() - begun) / 1000);
  if (count.applied < produced) await count.reaches(produced);
  await subscription.stop();
  return alone(fall, UNIT);
}

/** Events a second from the broker to applied and checkpointed: a backlog by number of partitions, and while others come in. */
export const apply: Part = async (bed, { quick, say }) => {
  const kafka = kafkajs(await bed.brokers());
  const events = quick ? 10_000 : 30_000;
  const measures: Record<string, Measure> = {};
  for (const partitions of [8, 4, 2, 1]) {
    const measure = partitions === 1 ? '1 partition' : `${partitions} partitions`;
    const { log, topic } = await bed.log('kafka', partitions);
    await append(log, topic, new Bookings(partitions).next(events / 2, 2));
    const rounds = await inRounds(
      { [measure]: UNIT },
      [ours(bed, log, topic, measure, events), rawConsumer(kafka, topic, measure, events)],
      { rounds: quick ? 2 : 5, say },
    );
    Object.assign(measures, rounds);
  }
  measures["backlog's fall while 1,000/s come in"] = await catchingUp(bed, {
    backlog: 20_000,
    rate: 1_000,
    seconds: quick ? 5 : 10,
  });
  return measures;
};
