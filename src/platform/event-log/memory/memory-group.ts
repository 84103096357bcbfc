import type { Subscription, SubscriptionStatus } from '../event-log.js';
import { messageOf } from '../delivery/log-sink.js';
import { PartitionRunner, type RunnerContext } from '../delivery/partition-runner.js';

/** A member of a group: holds the partitions that the group gives it. */
export class MemorySubscription implements Subscription {
  readonly runners = new Map<number, PartitionRunner>();
  private lastError: string | null = null;
  private stopped: Promise<void> | null = null;
  private readonly context: RunnerContext;

  constructor(
    private readonly group: MemoryGroup,
    context: Omit<RunnerContext, 'failed'>,
  ) {
    this.context = { ...context, failed: (error) => (this.lastError = messageOf(error)) };
  }

  take(partition: number): void {
    this.runners.set(partition, new PartitionRunner(partition, this.context).start());
  }

  /** Revoked as Kafka does it, under a batch in hand; or, when this member leaves by itself, after that batch. */
  async give(partition: number): Promise<void> {
    const runner = this.runners.get(partition);
    if (!runner) return;
    await (this.stopped ? runner.release() : runner.drop());
    this.runners.delete(partition);
  }

  status(): SubscriptionStatus {
    return {
      connected: this.stopped === null,
      partitions: [...this.runners.keys()].sort((a, b) => a - b),
      restarts: 0,
      lastError: this.lastError,
    };
  }

  stop(): Promise<void> {
    // Assigned before `leave` runs, which asks for it by way of `give`.
    this.stopped ??= Promise.resolve().then(() => this.group.leave(this));
    return this.stopped;
  }
}

/** The coordinator of one group and topic: partition p belongs to member p modulo their number; changes one after another. */
export class MemoryGroup {
  private members: MemorySubscription[] = [];
  private changes: Promise<void> = Promise.resolve();

  constructor(private readonly partitions: number) {}

  join(member: MemorySubscription): Promise<void> {
    return this.change(() => this.members.push(member), [member]);
  }

  leave(member: MemorySubscription): Promise<void> {
    return this.change(() => (this.members = this.members.filter((other) => other !== member)), [member]);
  }

  wake(partition: number): void {
    for (const member of this.members) member.runners.get(partition)?.wake();
  }

  private change(edit: () => void, touched: readonly MemorySubscription[]): Promise<void> {
    this.changes = this.changes.then(async () => {
      edit();
      const numbers = Array.from({ length: this.partitions }, (_, partition) => partition);
      const owner = (partition: number): MemorySubscription | undefined =>
        this.members[partition % this.members.length];
      // All revocations end before any assignment begins: a partition is never in two hands.
      for (const member of new Set([...this.members, ...touched])) {
        await Promise.all(
          numbers
            .filter((partition) => owner(partition) !== member)
            .map((partition) => member.give(partition)),
        );
      }
      for (const partition of numbers) {
        const next = owner(partition);
        if (next && !next.runners.has(partition)) next.take(partition);
      }
    });
    return this.changes;
  }
}
