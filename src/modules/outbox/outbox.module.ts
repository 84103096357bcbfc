import {
  Inject,
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { CommitNotifier } from './wake-up/commit-signal.js';

/** Tells other processes of commits as long as the application runs. */
@Injectable()
class NotifierLife implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly notifier: CommitNotifier | null;

  constructor(@Inject(APP_CONFIG) config: AppConfig) {
    this.notifier =
      config.databaseUrl && !config.databasePooled ? new CommitNotifier(config.databaseUrl) : null;
  }

  onApplicationBootstrap(): void {
    this.notifier?.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.notifier?.stop();
  }
}

/** API: wakes the relays of other processes after commits. */
@Module({ providers: [NotifierLife] })
export class OutboxNotifierModule {}
