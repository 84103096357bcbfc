import { hostname } from 'node:os';
import type { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { EventLog } from '../../../platform/event-log/event-log.js';
import { newId } from '../../../platform/kernel/ids.js';
import { type LoopLog, type LoopStatus, WorkerLoop } from '../../../platform/worker/loop.js';
import { within } from '../../../platform/worker/within.js';
import { LANES } from '../domain/slots.js';
import { LeaseStore } from '../persistence/lease-store.js';
import { QueueStore } from '../persistence/queue-store.js';
import { Lane } from './lane.js';
import { Leases } from './leases.js';
import { LowWater } from './low-water.js';
import { Sender } from './sender.js';

const LOW_WATER_EVERY_MS = 2_000;

/** Configuration of a relay; each names the environment variable it comes from. */
export interface RelayOptions {
  /** RESERVATION_TOPIC */
  readonly topic: string;
  /** OUTBOX_LEASE_MS: renewed at a third of it, and each second at least. */
  readonly leaseMs: number;
  /** OUTBOX_SWEEP_INTERVAL_MS */
  readonly sweepIntervalMs: number;
  /** OUTBOX_BATCH_SIZE: events a slot and batch. */
  readonly batchSize: number;
  /** OUTBOX_RETRY_SCHEDULE_MS */
  readonly retryScheduleMs: readonly number[];
  /** Prefix of the loops' names, when one process runs several relays (tests). */
  readonly name?: string;
}

/** How a relay is doing. */
export interface RelayStatus {
  readonly owner: string;
  /** Slots whose lease provably holds now. */
  readonly slots: readonly number[];
  /** Slots that would be its fair share. */
  readonly share: number;
  readonly loops: readonly LoopStatus[];
}

/**
 * Brings committed events from the outbox into the log, in order per key, at least once. Any number of relays share the
 * slots; each runs four loops: leases, two lanes that claim, send and acknowledge, and the low-water marks.
 * Metrics: outbox_published_total, outbox_publish_latency_seconds, reservation_event_dlq_total{code="RECORD_REFUSED"}.
 */
export class OutboxRelay {
  readonly leaseLoop: WorkerLoop;
  readonly laneLoops: readonly WorkerLoop[];
  readonly lowWaterLoop: WorkerLoop;
  readonly leases: Leases;
  private readonly lowWater: LowWater;
  private left = 0;
  private partitions: number | null = null;

  constructor(
    work: BackgroundWork,
    private readonly log: EventLog,
    private readonly options: RelayOptions,
    sink: LoopLog,
  ) {
    const { leaseMs, sweepIntervalMs, batchSize, retryScheduleMs, topic, name = 'outbox' } = options;
    // Before the step is given up: the next one is to find the silent connection gone, and not to wait on one like it.
    const patient = work.answeredWithin(0.75 * leaseMs);
    this.leases = new Leases(new LeaseStore(patient), `${hostname()}:${process.pid}:${newId()}`, leaseMs);
    this.leaseLoop = new WorkerLoop(
      // A third of the lease at most, so that one hiccup of the database loses no slot; a second at most, so that slots that
      // another relay gave back, or left behind, don't wait long.
      {
        name: `${name}.leases`,
        intervalMs: Math.min(leaseMs / 3, 1_000),
        maxBackoffMs: Math.min(leaseMs / 3, 5_000),
      },
      () => within(leaseMs, 'the renewal of leases', () => this.renew()),
      sink,
    );
    const queue = new QueueStore(patient);
    this.lowWater = new LowWater(queue, this.leases.owner);
    this.lowWaterLoop = new WorkerLoop(
      { name: `${name}.low-water`, intervalMs: LOW_WATER_EVERY_MS },
      () => this.raiseLowWater(),
      sink,
    );
    const parts = {
      leases: this.leases,
      queue,
      sender: new Sender(log, topic),
      partitions: () => this.partitionCount(),
      batchSize,
      retryScheduleMs,
      leasesChanged: () => this.leaseLoop.wake(),
      left: (rows: number) => this.countLeft(rows),
      log: sink,
    };
    this.laneLoops = Array.from({ length: LANES }, (_, number) => {
      const lane = new Lane(number, parts);
      return new WorkerLoop(
        // An outage that is over is noticed within a lease.
        {
          name: `${name}.lane-${number}`,
          intervalMs: sweepIntervalMs,
          maxBackoffMs: Math.min(leaseMs, 5_000),
        },
        // Else a half-open connection would hold up slots whose lease is renewed on another one. A step that was given up may still
        // append: duplicates, in order, as after a lost lease.
        () => within(leaseMs, 'a step of the relay', () => lane.step()),
        sink,
      );
    });
  }

  /** All loops, for the probes. */
  get loops(): readonly WorkerLoop[] {
    return [this.leaseLoop, ...this.laneLoops, this.lowWaterLoop];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  /** Finishes the batches in hand and gives the slots back. */
  async stop(): Promise<void> {
    await Promise.all(this.laneLoops.map((loop) => loop.stop()));
    await this.lowWaterLoop.stop();
    await this.leaseLoop.stop();
    // The database may be what made us stop; then the leases run out by themselves.
    await this.leases.retire().catch(() => undefined);
  }

  /** Stops as a killed process would: nothing is given back. For tests and fault drills. */
  async abandon(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Events may have been committed. */
  wake(): void {
    for (const loop of this.laneLoops) loop.wake();
  }

  /** Renews and sends one batch a lane, without the loops; answers whether there was anything to send. */
  async runOnce(): Promise<boolean> {
    await this.leaseLoop.runOnce();
    const moved = await Promise.all(this.laneLoops.map((loop) => loop.runOnce()));
    return moved.includes(true);
  }

  status(): RelayStatus {
    const { slots, share } = this.leases.view();
    return { owner: this.leases.owner, slots, share, loops: this.loops.map((loop) => loop.status()) };
  }

  private async renew(): Promise<boolean> {
    if (await this.leases.renew()) this.wake();
    return false;
  }

  private countLeft(rows: number): void {
    this.left += rows;
    if (this.left < LowWater.EVERY_ROWS) return;
    this.left = 0;
    this.lowWaterLoop.wake();
  }

  private async raiseLowWater(): Promise<boolean> {
    const held = this.leases.holding();
    if (held.length > 0) await this.lowWater.step(held);
    return false;
  }

  /** Asked once: were it to change under a running relay, a key would change its partition in the middle of a batch. */
  private async partitionCount(): Promise<number> {
    this.partitions ??= await this.log.partitionCount(this.options.topic);
    return this.partitions;
  }
}
