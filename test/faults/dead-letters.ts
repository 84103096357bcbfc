import type { DataSource } from 'typeorm';
import { DeadLetterOperations } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { clerkOf } from '../support/fixtures.js';
import { until } from '../support/http-client.js';
import { reservationData } from '../support/reliable-path.js';
import type { Stage } from './stage.js';

const REASON = 'the drill is over';
/** How long replays may be on their way, ms: beyond the time after which a lost one is published again. */
const REPLAY_MS = 120_000;
const MOST_LETTERS = 10_000;

/**
 * What an operator does with all dead letters after an outage: mends the data of those whose data are at fault, replays every one,
 * and skips what is dead again, for no replay can help what is no event. What is not settled then is the verdict's to find.
 */
export async function settleDeadLetters(stage: Stage): Promise<void> {
  await mendAll(stage);
  const act = (verb: string): Promise<unknown> =>
    stage.tartware('dlq', verb, '--all', '--limit', String(MOST_LETTERS), '--reason', REASON);
  await act('replay');
  await until(
    'the end of all replays',
    async () => {
      const [row] = await stage.cluster.ask<{ n: number }>(
        `SELECT count(*)::int AS n FROM dead_letters WHERE status = 'REPLAYING'`,
      );
      return row!.n === 0;
    },
    REPLAY_MS,
    100,
  ).catch(() => undefined);
  await act('skip');
}

/** By the operation itself and not by its command: a process for each would take longer than the drill. */
async function mendAll({ cluster, desks }: Stage): Promise<void> {
  const source: DataSource = await openDataSource(cluster.urls.workerUrl, {
    poolSize: 2,
    applicationName: 'faults-operator',
    entities: [],
  });
  try {
    const operations = new DeadLetterOperations(new BackgroundWork(source));
    const { house } = desks[0]!;
    const intent = { ctx: clerkOf(house, { source: 'cli' }), reason: REASON, dryRun: false };
    // Of a stay that takes no room: the read model stays as the reservations have it.
    const data = reservationData({
      propertyId: house.propertyId,
      status: 'CANCELLED',
      arrival: house.businessDate,
      nightlyMinor: [10_000],
    });
    const letters = await operations.list({
      code: 'INVALID_EVENT_DATA',
      statuses: ['DEAD'],
      limit: MOST_LETTERS,
    });
    for (const { deadLetterId } of letters) await operations.patch(intent, deadLetterId, () => data);
  } finally {
    await source.destroy();
  }
}
