import { Projectors } from '../../src/modules/consumer/contract/projector.js';
import { ReplayPublisher } from '../../src/modules/consumer/dead-letters/replay-publisher.js';
import { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import { OffsetStore } from '../../src/modules/consumer/persistence/offset-store.js';
import { ReplayStore } from '../../src/modules/consumer/persistence/replay-store.js';
import type { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import {
  type EventLog,
  type LogRecord,
  LogUnavailableError,
  type ReadRecord,
} from '../../src/platform/event-log/event-log.js';
import { expectable, type House, loop, SILENT, TOPIC } from './house.js';
import { SimulatedWork } from './work.js';
import { Proc } from './world.js';

const HEARTBEAT_MS = 200;
/** The safety net of replays that nobody told of. */
const REPLAYS_EVERY_MS = 200;

/** A partition in a member's hands, as the member believes. */
interface Serving {
  live: boolean;
  ended: Promise<void>;
}

/** A member of the consumer group: our processor, fed as the log's adapters feed it. */
class Member {
  private readonly serving = new Map<number, Serving>();
  private fetch: Promise<void> | null = null;

  constructor(
    private readonly house: House,
    private readonly proc: Proc,
    private readonly processor: EventProcessor,
    private readonly batchSize: number,
  ) {}

  async run(): Promise<void> {
    const { house, proc } = this;
    const { world, log, group } = house;
    while (!proc.leaving) {
      try {
        this.assign(
          await world.request<number[]>(proc, log.link, (reply) => reply({ value: group.beat(proc) })),
        );
      } catch {
        // The coordinator doesn't answer: the member goes on with what it had.
      }
      await world.nap(proc, HEARTBEAT_MS);
    }
    for (const serving of this.serving.values()) serving.live = false;
    proc.wake();
    await Promise.all([...this.serving.values()].map(({ ended }) => ended));
    group.leave(proc);
    proc.alive = false;
  }

  private assign(mine: readonly number[]): void {
    for (const [partition, serving] of this.serving)
      if (serving.live && !mine.includes(partition)) serving.live = false;
    for (const partition of mine) {
      const before = this.serving.get(partition);
      if (before?.live) continue;
      const serving: Serving = { live: true, ended: Promise.resolve() };
      serving.ended = (before?.ended ?? Promise.resolve()).then(() => this.serve(partition, serving));
      this.serving.set(partition, serving);
    }
  }

  private async serve(partition: number, serving: Serving): Promise<void> {
    const { world, log } = this.house;
    let cursor = await this.begin(partition, serving);
    while (serving.live) {
      const slice = await log.read(this.proc, partition, cursor, this.batchSize).catch(() => null);
      if (!serving.live) break;
      if (slice === null) await world.sleep(this.proc, 40);
      // The log was made anew: from its beginning.
      else if (cursor > slice.end) cursor = 0;
      else if (slice.records.length === 0) {
        cursor = slice.end;
        await world.nap(this.proc, 600);
      } else cursor = await this.hand(partition, serving, slice);
    }
    await this.processor.revoked(TOPIC, partition);
  }

  private async begin(partition: number, serving: Serving): Promise<number> {
    const { world, log, doubles } = this.house;
    while (serving.live)
      try {
        const ours = Number((await this.processor.assigned(TOPIC, partition)) ?? 0n);
        return doubles.firstOffset(ours, log.kept.get(partition) ?? ours);
      } catch (error) {
        expectable(this.house, this.proc, error);
        await world.sleep(this.proc, 40);
      }
    return 0;
  }

  /** What one fetch brings of several partitions comes at once. */
  private fetched(): Promise<void> {
    const { world } = this.house;
    this.fetch ??= world.sleep(this.proc, world.random.between(0, 10)).then(() => void (this.fetch = null));
    return this.fetch;
  }

  private async hand(
    partition: number,
    serving: Serving,
    { records, end }: { readonly records: readonly ReadRecord[]; readonly end: number },
  ): Promise<number> {
    const { world, log } = this.house;
    await this.fetched();
    const after = Number(records.at(-1)!.offset) + 1;
    // What a broker's automatic commits do.
    log.kept.set(partition, after);
    const batch = {
      topic: TOPIC,
      partition,
      records,
      highWatermark: BigInt(end),
      isLive: () => serving.live,
      heartbeat: async () => {
        if (!serving.live) throw new LogUnavailableError('the partition was given to another consumer');
      },
    };
    try {
      const next = Number(await this.processor.batch(batch));
      if (next < after) await world.sleep(this.proc, 40);
      return next;
    } catch (error) {
      expectable(this.house, this.proc, error);
      await world.sleep(this.proc, world.random.between(20, 60));
      return Number(records[0]!.offset);
    }
  }
}

/** The loop `consumer.replays` of a consumer. */
function startReplays(house: House, proc: Proc, processor: EventProcessor, store: ReplayStore): void {
  const { log } = house;
  // By the real clock, and for metrics only.
  store.counts = async () => [];
  const port = {
    partitionCount: async () => log.partitions.length,
    append: (_topic: string, records: readonly LogRecord[]) => log.appendReplays(proc, records),
  };
  const publisher = new ReplayPublisher(
    store,
    port as unknown as EventLog,
    () => processor.partitions(TOPIC),
    { topic: TOPIC, intervalMs: REPLAYS_EVERY_MS },
    SILENT,
  );
  processor.onLetters(() => proc.wake());
  void loop(house, proc, REPLAYS_EVERY_MS, () => publisher.loop.runOnce());
}

/** Starts a consumer. */
export function startConsumer(house: House, name: string, batchSize: number): Proc {
  const { world, db, log, watch, doubles } = house;
  const proc = new Proc(name, 0);
  const work = new SimulatedWork(proc, db, doubles.statements(watch)) as unknown as BackgroundWork;
  const projectors = new Projectors();
  projectors.register(doubles.projector(house, work));
  const processor = new EventProcessor(
    work,
    projectors,
    { group: 'group', owner: name, maxRetries: doubles.maxRetries, retryBackoffMs: 4, maxBatchRecords: 500 },
    SILENT,
    { now: () => world.now, wait: (ms) => world.sleep(proc, ms), random: () => world.random.next() },
  );
  // The processor makes its own; a planted bug's takes its place.
  if (doubles.applier)
    Reflect.set(
      processor,
      'applier',
      doubles.applier(work, new OffsetStore(work, 'group', name), projectors),
    );
  startReplays(house, proc, processor, new ReplayStore(work, 'group', TOPIC));
  log.readers.add(proc);
  void new Member(house, proc, processor, batchSize).run();
  world.note(() => `${name} starts`);
  return proc;
}
