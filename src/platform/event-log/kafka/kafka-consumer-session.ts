import { type Assigner, type Consumer, PartitionAssigners } from 'kafkajs';
import type { BatchHandler, SubscribeOptions } from '../event-log.js';
import { within } from '../../worker/within.js';
import { backoffMs, type DeliveryTiming } from '../delivery/delivery.js';
import { messageOf } from '../delivery/log-sink.js';
import { createKafka, disconnect, type KafkaSettings, RETRY } from './kafka-client.js';
import { KafkaOffsetCache } from './kafka-offset-cache.js';
import { KafkaPartition } from './kafka-partition.js';
import { KafkaPositions } from './kafka-positions.js';
import { KafkaReader } from './kafka-reader.js';
import type { KafkaTopics } from './kafka-topics.js';

/** What a session needs; the same for each that a subscription makes. */
export interface SessionContext {
  readonly settings: KafkaSettings;
  readonly topics: KafkaTopics;
  readonly options: SubscribeOptions;
  readonly handler: BatchHandler;
  readonly timing: DeliveryTiming;
  readonly sessionTimeoutMs: number;
  failed(error: unknown): void;
}

/** Longest wait of a fetch that finds nothing, ms. A resumed partition joins the next fetch, so this bounds that delay as well. */
const FETCH_WAIT_MS = 100;

/** Partitions whose batches the handler may have in hand at once: all that one fetch brings, so that it may take them together. */
const PARTITIONS_AT_ONCE = 64;

/** One kafkajs consumer from connecting to its crash or stop. It is never revived: a subscription makes another. */
export class KafkaConsumerSession {
  /** Resolves when the consumer is dead for good. */
  readonly crashed: Promise<unknown>;
  private crash!: (error: unknown) => void;
  private readonly consumer: Consumer;
  private readonly positions: KafkaPositions;
  private readonly cache: KafkaOffsetCache;
  private readonly reader: KafkaReader;
  private readonly partitions = new Map<number, KafkaPartition>();
  /** Revocations and assignments, one after another. */
  private changes: Promise<void> = Promise.resolve();
  private lastBeat = 0;
  private joined = false;
  /** Between the JoinGroup and its answer, which takes as long as the other members like. */
  private joining = true;
  private stopping = false;
  private watchdog: NodeJS.Timeout | null = null;

  constructor(private readonly context: SessionContext) {
    const { settings, options, sessionTimeoutMs } = context;
    this.crashed = new Promise((resolve) => (this.crash = resolve));
    this.consumer = createKafka(settings).consumer({
      groupId: options.group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, 10_000),
      // Others learn of a rebalance by the answer to their next one: it costs less than the wait.
      heartbeatInterval: Math.max(Math.floor(sessionTimeoutMs / 10), 50),
      minBytes: 1,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytes: options.maxBatchBytes,
      maxBytesPerPartition: options.maxBatchBytes,
      allowAutoTopicCreation: false,
      // kafkajs revives itself after some crashes and not after others. One way only, ours, which the status shows.
      retry: { ...RETRY, restartOnFailure: async () => false },
      partitionAssigners: [
        (config) => announcing(PartitionAssigners.roundRobin(config), () => this.leaveGeneration()),
      ],
    });
    this.positions = new KafkaPositions(context.topics, options.topic, options.group, settings.sink);
    this.cache = new KafkaOffsetCache(this.consumer, options.topic, () => this.partitions.values());
    this.reader = new KafkaReader(this.consumer, options, this.positions, this.cache, {
      partition: (number) => (this.stopping ? undefined : this.partitions.get(number)),
      // The broker forgets a silent member after the session timeout; we stop believing in ourselves somewhat earlier.
      fresh: () => Date.now() - this.lastBeat < 0.8 * sessionTimeoutMs,
      failed: (number, what, error) => this.report(number, what, error),
    });
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) =>
      this.onJoined(payload.memberAssignment[options.topic] ?? []),
    );
    this.consumer.on(this.consumer.events.HEARTBEAT, () => this.beat());
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => this.die(payload.error));
  }

  /** Resolves when the group is joined. */
  async start(): Promise<void> {
    const { topic } = this.context.options;
    await this.consumer.connect();
    await this.consumer.subscribe({ topic, fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.reader.eachBatch(payload),
    });
    this.watchdog = setInterval(() => this.watch(), this.context.sessionTimeoutMs / 4);
  }

  get connected(): boolean {
    return this.joined && (this.busy || Date.now() - this.lastBeat < this.context.sessionTimeoutMs);
  }

  held(): number[] {
    return [...this.partitions.values()].filter((part) => part.begun).map((part) => part.number);
  }

  /** Ends the batches in hand as their owner, gives the partitions back, leaves the group. Also clears up after a crash. */
  async close(): Promise<void> {
    this.stopping = true;
    for (const part of this.partitions.values()) part.interrupt.wake();
    // Or kafkajs fetches what nobody takes any more, again and again, while the last batch drains.
    this.reader.pauseAll();
    await Promise.all([...this.partitions.values()].map(async (part) => part.inFlight));
    if (this.joined)
      await within(this.context.sessionTimeoutMs, 'the last commit', () => this.cache.flush()).catch(
        () => undefined,
      );
    this.giveUpAll();
    await this.changes;
    if (this.watchdog) clearInterval(this.watchdog);
    this.cache.close();
    const farewell = disconnect(this.consumer);
    // Its successor doesn't wait for the goodbye of a dead one, which a silent broker never answers.
    if (this.joined) await farewell;
  }

  private get busy(): boolean {
    return [...this.partitions.values()].some((part) => part.inFlight !== null);
  }

  private beat(): void {
    this.lastBeat = Date.now();
  }

  private die(error: unknown): void {
    this.joined = false;
    this.giveUpAll();
    this.crash(error);
  }

  /**
   * A loop that neither beats nor works is dead, though kafkajs may not have noticed: it tries a half-open connection again and
   * again. After a session without a beat the broker has forgotten us anyway; a join may take longer.
   */
  private watch(): void {
    const { sessionTimeoutMs } = this.context;
    const patienceMs = this.joining ? Math.max(3 * sessionTimeoutMs, 15_000) : sessionTimeoutMs;
    if (
      !this.busy &&
      !this.stopping &&
      Date.now() - Math.max(this.lastBeat, this.reader.handledAt) > patienceMs
    )
      this.die(new Error("the consumer's loop stands still"));
  }

  private leaveGeneration(): void {
    this.joining = true;
    this.giveUpAll();
  }

  /**
   * Called just before every JoinGroup, whatever its reason, and before the broker can give a partition to anybody else. From this
   * call on nothing is live here; `revoked` follows when the batches in hand have noticed.
   */
  private giveUpAll(): void {
    const lost = [...this.partitions.values()];
    this.partitions.clear();
    for (const part of lost) part.surrender();
    this.changes = this.changes.then(async () => {
      await Promise.all(lost.map((part) => this.revoke(part)));
    });
  }

  private async revoke(part: KafkaPartition): Promise<void> {
    await part.inFlight;
    if (!part.begun) return;
    try {
      await this.context.handler.revoked(this.context.options.topic, part.number);
    } catch (error) {
      this.report(part.number, 'revoked threw', error);
    }
  }

  private onJoined(numbers: readonly number[]): void {
    this.joined = true;
    this.joining = false;
    this.beat();
    const parts = numbers.map(
      (number) => new KafkaPartition(number, this.context.handler, this.context.timing),
    );
    for (const part of parts) this.partitions.set(part.number, part);
    // Within the event, so before kafkajs fetches: from the offset that Kafka remembers, again and again, for batches that nobody
    // takes until the handler has said where to begin.
    this.consumer.pause([{ topic: this.context.options.topic, partitions: [...numbers] }]);
    this.changes = this.changes.then(async () => {
      await Promise.all(parts.map((part) => this.begin(part)));
    });
  }

  /** Asks the handler where to read from until it answers; then seeks there and lets kafkajs fetch. */
  private async begin(part: KafkaPartition): Promise<void> {
    const { handler, options, timing } = this.context;
    for (let failures = 0; part.live && !this.stopping; failures += 1) {
      try {
        const from = await handler.assigned(options.topic, part.number);
        part.begun = true;
        part.next = await within(this.context.sessionTimeoutMs, 'the question for the ends of the log', () =>
          this.positions.startOf(part.number, from),
        );
        if (!part.live || this.stopping) return;
        part.ready = true;
        this.reader.begin(part);
        return;
      } catch (error) {
        this.report(part.number, 'assignment failed', error);
        await part.interrupt.wait(backoffMs(timing, failures));
      }
    }
  }

  private report(number: number, what: string, error: unknown): void {
    const { options, settings } = this.context;
    this.context.failed(error);
    settings.sink.warn(
      `event log ${options.topic}/${number}, group ${options.group}: ${what}: ${messageOf(error)}`,
    );
  }
}

/** `protocol` is asked for each JoinGroup, right before it is sent: the only sign of a rejoin that kafkajs gives in every case. */
function announcing(assigner: Assigner, beforeJoin: () => void): Assigner {
  return {
    name: assigner.name,
    version: assigner.version,
    assign: (group) => assigner.assign(group),
    protocol: (subscription) => {
      beforeJoin();
      return assigner.protocol(subscription);
    },
  };
}
