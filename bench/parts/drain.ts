import { join } from 'node:path';
import type { QueuePeer } from '../peers/queue-peer.js';
import { type OutboxEvent, toLogRecord } from '../../src/modules/outbox/domain/envelope.js';
import { partitionOf } from '../../src/modules/outbox/domain/slots.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { startEmbedded } from '../../src/platform/database/embedded/embedded-postgres.js';
import { EventLog, type LogPosition, type LogRecord } from '../../src/platform/event-log/event-log.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import type { Bed } from '../bed.js';
import { quiet } from '../consumer.js';
import { timed, type Part } from '../measure.js';
import { graphileWorker } from '../peers/graphile-worker.js';
import { leanEncoder, plainEncoder } from '../../src/platform/event-log/kafka/lean-encoder.js';
import { batchesOf, kafkajs } from '../peers/kafkajs.js';
import { pgBoss } from '../peers/pg-boss.js';
import { pgTransactionalOutbox } from '../peers/pg-transactional-outbox.js';
import { inRounds, type Runner } from '../rounds.js';
import { fillOutbox } from './fill.js';

const PARTITIONS = 8;
const UNIT = 'events/s';

/** A log that acknowledges at once and keeps nothing. */
class Nowhere extends EventLog {
  override provision = (): Promise<void> => Promise.resolve();
  override partitionCount = (): Promise<number> => Promise.resolve(PARTITIONS);
  override ranges = (): Promise<[]> => Promise.resolve([]);
  override append = (_topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> =>
    Promise.resolve(records.map(({ partition }) => ({ partition, offset: 0n })));
  override subscribe = (): never => {
    throw new Error('there is nothing to read');
  };
  override ping = (): Promise<void> => Promise.resolve();
  override close = (): Promise<void> => Promise.resolve();
}

/** The outbox full of events, which each round finds again. */
class Backlog {
  private constructor(
    private readonly bed: Bed,
    readonly count: number,
    /** What our outbox makes of them, in its order: what everybody else gets. */
    readonly records: readonly LogRecord[],
  ) {}

  static async of(bed: Bed, count: number): Promise<Backlog> {
    await bed.clear();
    await fillOutbox(bed, { keys: count / 4, perKey: 4, tenants: 10 });
    await bed.sql(`CREATE TABLE bench_queue AS SELECT * FROM outbox_queue`);
    bed.onClose(() => bed.sql(`DROP TABLE bench_queue`));
    const events = await bed.sql<OutboxEvent>(
      `SELECT q.slot, q.priority, q.queue_id::text AS "queueId", q.tenant_id AS "tenantId", q.aggregate_id AS "aggregateId",
              q.key_seq AS "keySeq", to_char(q.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "occurredAt",
              e.event_id AS "eventId", e.aggregate_type AS "aggregateType", e.event_type AS type, e.event_version AS version,
              e.data::text AS data, e.correlation_id AS "correlationId", e.traceparent, 0 AS attempts
         FROM outbox_queue q JOIN outbox_events e USING (tenant_id, aggregate_id, key_seq, occurred_at) ORDER BY q.queue_id`,
    );
    const records = events.map((event) => toLogRecord(event, partitionOf(event.slot, PARTITIONS)));
    return new Backlog(bed, count, records);
  }

  /** Puts the events back into the queue, as if none had ever been sent. */
  async refill(): Promise<void> {
    const receipts = await this.bed.sql<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'event_receipts'::regclass`,
    );
    await this.bed.sql(`TRUNCATE outbox_queue, ${receipts.map(({ name }) => name).join(', ')}`);
    await this.bed.sql(`UPDATE outbox_slots SET owner = NULL, lease_until = '-infinity', low_water = 0`);
    await this.bed.sql(`INSERT INTO outbox_queue OVERRIDING SYSTEM VALUE SELECT * FROM bench_queue`);
    await this.bed.settle();
  }
}

/** The relay as it runs in the service, all its loops, from its first claim to the last acknowledgement in the database. */
function ours(bed: Bed, backlog: Backlog, measure: string, log: EventLog, topic: string): Runner {
  const published = async (): Promise<number> => (await metrics.published.get()).values[0]?.value ?? 0;
  return {
    name: 'tartware',
    async round() {
      await backlog.refill();
      const relay = new OutboxRelay(
        bed.work,
        log,
        { topic, leaseMs: 10_000, sweepIntervalMs: 1_000, batchSize: 500, retryScheduleMs: [1_000] },
        quiet,
      );
      // As the peers are connected before, so it holds its slots.
      await relay.leases.renew();
      const before = await published();
      const { ms } = await timed(async () => {
        relay.start();
        while ((await published()) - before < backlog.count)
          await Promise.race(relay.laneLoops.map((loop) => loop.nextRun()));
      });
      await relay.stop();
      const [left] = await bed.sql<{ n: number }>(`SELECT count(*)::int AS n FROM outbox_queue`);
      if (left!.n > 0) throw new Error(`${left!.n} events were left in the outbox`);
      return { [measure]: backlog.count / (ms / 1000) };
    },
  };
}

/** kafkajs, which has the records in memory: nothing is read, nothing is written down. */
function rawProducer(
  backlog: Backlog,
  measure: string,
  send: (batch: ReturnType<typeof batchesOf>[0][0]) => Promise<unknown>,
  atOnce: boolean,
): Runner {
  return {
    name: atOnce ? 'kafkajs, two batches at a time' : 'kafkajs',
    async round() {
      const lanes = batchesOf(backlog.records, PARTITIONS);
      const all = async (batches: (typeof lanes)[0]): Promise<void> => {
        for (const batch of batches) await send(batch);
      };
      // As it comes; ours makes its encoders leaner for the whole process.
      plainEncoder();
      const { ms } = await timed(async () => {
        await (atOnce ? Promise.all(lanes.map(all)) : all(lanes.flat()));
      }).finally(leanEncoder);
      return { [measure]: backlog.count / (ms / 1000) };
    },
  };
}

const queue = (peer: QueuePeer, backlog: Backlog, measure: string, settle: () => Promise<void>): Runner => ({
  name: peer.name,
  async round() {
    const records = backlog.records.slice(0, peer.most);
    await peer.fill(records);
    await settle();
    const { ms } = await timed(() => peer.drain());
    return { [measure]: records.length / (ms / 1000) };
  },
});

async function queuePeers(bed: Bed): Promise<QueuePeer[]> {
  await bed.sql(`CREATE DATABASE peers`);
  const url = new URL(bed.database.superUrl);
  url.pathname = '/peers';
  // Only one peer needs a server that writes more into its log; ours and the others would pay for it.
  const logical = await startEmbedded({
    home: join(bed.home, 'logical'),
    settings: { shared_buffers: '128MB', max_wal_size: '4GB', wal_level: 'logical' },
  });
  bed.onClose(() => logical.stop());
  const peers = [
    await graphileWorker(url.href, false),
    await graphileWorker(url.href, true),
    await pgBoss(url.href, false),
    await pgBoss(url.href, true),
    await pgTransactionalOutbox(url.href, 'polling'),
    await pgTransactionalOutbox(logical.superUrl, 'replication'),
  ];
  for (const peer of peers) bed.onClose(() => peer.close());
  return peers;
}

/** Events a second out of a full outbox: into the real broker beside kafkajs alone, and into nothing beside other queues. */
export const drain: Part = async (bed, { quick, say }) => {
  const rounds = quick ? 2 : 5;
  const backlog = await Backlog.of(bed, quick ? 10_000 : 30_000);
  const { log, topic } = await bed.log('kafka', PARTITIONS);
  const raw = await bed.log('kafka', PARTITIONS);
  const producer = kafkajs(await bed.brokers()).producer();
  await producer.connect();
  bed.onClose(() => producer.disconnect());
  const send = (messages: Parameters<typeof producer.send>[0]['messages']): Promise<unknown> =>
    producer.send({ topic: raw.topic, acks: -1, messages });
  const settle = async (): Promise<void> => void (await bed.sql('CHECKPOINT'));
  const toKafka = 'events/s to Kafka';
  const toNowhere = 'events/s to nowhere';
  return {
    ...(await inRounds(
      { [toKafka]: UNIT },
      [
        ours(bed, backlog, toKafka, log, topic),
        rawProducer(backlog, toKafka, send, false),
        rawProducer(backlog, toKafka, send, true),
      ],
      { rounds, say },
    )),
    ...(await inRounds(
      { [toNowhere]: UNIT },
      [
        ours(bed, backlog, toNowhere, new Nowhere(), topic),
        ...(await queuePeers(bed)).map((peer) => queue(peer, backlog, toNowhere, settle)),
      ],
      { rounds, say },
    )),
  };
};
