import { ChannelListener } from '../../../platform/database/channel-listener.js';
import { ChannelNotifier } from '../../../platform/database/channel-notifier.js';
import type { LoopLog } from '../../../platform/worker/loop.js';
import { onEventsCommitted } from '../contract/append-changes.js';

const CHANNEL = 'tartware_outbox';

/** Tells the workers of other processes that events were committed here. */
export class CommitNotifier {
  readonly channel: ChannelNotifier;
  private unsubscribe: (() => void) | null = null;

  constructor(databaseUrl: string) {
    this.channel = new ChannelNotifier(databaseUrl, CHANNEL);
  }

  start(): void {
    this.unsubscribe ??= onEventsCommitted(() => this.channel.notify());
  }

  async stop(): Promise<void> {
    this.unsubscribe?.();
    this.unsubscribe = null;
    await this.channel.stop();
  }
}

/** Hears of events that other processes commit; `wake` must not throw. */
export const commitListener = (databaseUrl: string, wake: () => void, log: LoopLog): ChannelListener =>
  new ChannelListener(databaseUrl, { channel: CHANNEL, name: 'outbox.listener' }, wake, log);
