import { SLOTS } from '../contract/events.js';
import { fairShare } from '../domain/slots.js';
import type { HeldSlot, LeaseStore } from '../persistence/lease-store.js';

/**
 * The slots of one relay. Leases live by the database's clock; here a deadline on this process's monotonic clock, begun
 * BEFORE the statement that renews, tells how long they provably hold: a process that was stopped past it sends nothing.
 */
export class Leases {
  private held: readonly HeldSlot[] = [];
  private deadline = 0;
  private readonly busy = new Map<number, number>();
  private readonly leaving = new Set<number>();
  private share = 0;

  constructor(
    private readonly store: LeaseStore,
    readonly owner: string,
    readonly leaseMs: number,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** Renews, takes free slots up to the fair share, gives surplus back. Answers true when the set of slots grew. */
  async renew(): Promise<boolean> {
    const before = new Set(this.held.map(({ slot }) => slot));
    const begun = this.monotonic();
    const { held, share } = await this.store.renew(this.owner, this.leaseMs, (relays) =>
      fairShare(SLOTS, relays),
    );
    this.held = held;
    this.share = share;
    this.deadline = begun + this.leaseMs;
    await this.giveSurplus(share);
    return held.some(({ slot }) => !before.has(slot));
  }

  /** The slots that this relay may work on now. */
  holding(): HeldSlot[] {
    if (this.monotonic() >= this.deadline) return [];
    return this.held.filter(({ slot }) => !this.leaving.has(slot));
  }

  /** Whether the lease still provably holds, with this epoch. */
  holds({ slot, epoch }: HeldSlot): boolean {
    return (
      this.monotonic() < this.deadline && this.held.some((mine) => mine.slot === slot && mine.epoch === epoch)
    );
  }

  /** Runs `work` on slots which meanwhile are not given away, unless the lease is lost. */
  async using<T>(slots: readonly HeldSlot[], work: () => Promise<T>): Promise<T> {
    for (const { slot } of slots) this.busy.set(slot, (this.busy.get(slot) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const { slot } of slots) this.busy.set(slot, (this.busy.get(slot) ?? 1) - 1);
    }
  }

  /** True while surplus slots wait for the end of a batch to be given back. */
  get owesSlots(): boolean {
    return this.leaving.size > 0;
  }

  /** Forgets slots that went to another relay. */
  lost(slots: ReadonlySet<number>): void {
    this.held = this.held.filter(({ slot }) => !slots.has(slot));
  }

  /** Gives everything back, so that another relay needn't wait for the leases to run out. */
  async retire(): Promise<void> {
    const slots = this.held.map(({ slot }) => slot);
    this.held = [];
    await this.store.retire(this.owner, slots);
  }

  /** For the status. */
  view(): { readonly slots: number[]; readonly share: number; readonly provableMs: number } {
    return {
      slots: this.holding().map(({ slot }) => slot),
      share: this.share,
      provableMs: Math.max(0, Math.round(this.deadline - this.monotonic())),
    };
  }

  private async giveSurplus(share: number): Promise<void> {
    // Highest first, on every relay alike; what is in the middle of a batch leaves after it.
    const slots = this.held.map(({ slot }) => slot).sort((a, b) => a - b);
    this.leaving.clear();
    for (const slot of slots.slice(share)) this.leaving.add(slot);
    const idle = [...this.leaving].filter((slot) => !this.busy.get(slot));
    await this.store.release(this.owner, idle);
    this.lost(new Set(idle));
    for (const slot of idle) this.leaving.delete(slot);
  }
}
