import type { TransportStatus } from '../../../platform/event-log/transport/event-log-transport.js';

/** How this process's subscriptions do. The entry point makes the transport, and tells here whom to ask. */
export class SubscriptionHealth {
  private source: (() => readonly TransportStatus[]) | null = null;

  /** `health.watch(() => transport.statuses())` */
  watch(source: () => readonly TransportStatus[]): void {
    this.source = source;
  }

  /** Null where nothing is subscribed to (API). */
  statuses(): readonly TransportStatus[] | null {
    return this.source?.() ?? null;
  }
}
