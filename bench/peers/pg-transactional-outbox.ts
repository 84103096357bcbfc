import pg from 'pg';
import {
  createReplicationSegmentMutexConcurrencyController,
  DatabaseSetup,
  getDisabledLogger,
  initializePollingMessageListener,
  initializeReplicationMessageListener,
  type PollingListenerConfig,
  type ReplicationListenerConfig,
} from 'pg-transactional-outbox';
import type { LogRecord } from '../../src/platform/event-log/event-log.js';
import { payloadOf, type QueuePeer } from './queue-peer.js';

const ROLE = 'outbox_listener';
const PASSWORD = 'bench';
/** Messages that it works on at once. */
const AT_ONCE = 10;

/**
 * pg-transactional-outbox with its own tables, roles and function. The segment is the aggregate: order per key. The listener of the
 * replication slot asks for `wal_level = logical`, so `url` leads to a server that has it.
 */
export async function pgTransactionalOutbox(
  url: string,
  listener: 'polling' | 'replication',
): Promise<QueuePeer> {
  const pool = new pg.Pool({ connectionString: url });
  const { pathname } = new URL(url);
  const names = {
    outboxOrInbox: 'outbox' as const,
    database: pathname.slice(1),
    schema: 'messaging',
    table: 'outbox',
    listenerRole: ROLE,
    publication: 'outbox_publication',
    replicationSlot: 'outbox_slot',
    nextMessagesName: 'next_outbox_messages',
  };
  await pool.query(`CREATE ROLE ${ROLE} WITH LOGIN PASSWORD '${PASSWORD}'`);
  await pool.query(`GRANT CONNECT ON DATABASE ${names.database} TO ${ROLE}`);
  const asListener = new URL(url);
  asListener.username = ROLE;
  asListener.password = PASSWORD;
  const base = {
    outboxOrInbox: 'outbox' as const,
    dbListenerConfig: { connectionString: asListener.href },
    settings: {
      dbSchema: names.schema,
      dbTable: names.table,
      enableMaxAttemptsProtection: false,
      enablePoisonousMessageProtection: false,
    },
  };
  const polling: PollingListenerConfig = {
    ...base,
    settings: {
      ...base.settings,
      nextMessagesBatchSize: AT_ONCE,
      nextMessagesFunctionSchema: names.schema,
      nextMessagesFunctionName: names.nextMessagesName,
      nextMessagesPollingIntervalInMs: 10,
      // A message that lost a conflict waits for the end of its lock: the default of 5 s would be most of a round.
      nextMessagesLockInMs: 1_000,
    },
  };
  const replication: ReplicationListenerConfig = {
    ...base,
    settings: {
      ...base.settings,
      dbPublication: names.publication,
      dbReplicationSlot: names.replicationSlot,
    },
  };
  const pending = async (): Promise<boolean> =>
    (await pool.query(`SELECT FROM messaging.outbox WHERE processed_at IS NULL LIMIT 1`)).rows.length > 0;
  let filled = 0;
  return {
    name: `pg-transactional-outbox, ${listener}`,
    most: listener === 'polling' ? 300 : 1_000,
    async fill(records: readonly LogRecord[]): Promise<void> {
      await pool.query(DatabaseSetup.dropAndCreateTable(names));
      await pool.query(DatabaseSetup.grantPermissions(names));
      if (listener === 'polling') {
        await pool.query(DatabaseSetup.createPollingFunction(names));
        await pool.query(DatabaseSetup.setupPollingIndexes(names));
      } else {
        await pool.query(DatabaseSetup.setupReplicationCore(names));
        for (const statement of DatabaseSetup.setupReplicationSlot(names).split(/;\s*\n/))
          if (statement.trim()) await pool.query(statement);
      }
      await pool.query(
        `INSERT INTO messaging.outbox (id, aggregate_type, aggregate_id, message_type, segment, payload, created_at)
         SELECT id, 'reservation', key, 'reservation.modified', key, payload, clock_timestamp()
           FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) WITH ORDINALITY AS r(id, key, payload, n) ORDER BY n`,
        [
          records.map(({ headers }) => headers['ce_id']),
          records.map(({ key }) => key),
          records.map((record) => JSON.stringify(payloadOf(record))),
        ],
      );
      filled = records.length;
    },
    async drain(): Promise<void> {
      let handled = 0;
      let over!: () => void;
      const all = new Promise<void>((resolve) => (over = resolve));
      const handler = {
        handle: async (): Promise<void> => {
          if (++handled === filled) over();
        },
      };
      const [shutdown] =
        listener === 'polling'
          ? initializePollingMessageListener(polling, handler, getDisabledLogger(), {
              // Its default begins with one message at a time; all the ten from the start are faster.
              batchSizeStrategy: async () => AT_ONCE,
            })
          : initializeReplicationMessageListener(replication, handler, getDisabledLogger(), {
              concurrencyStrategy: createReplicationSegmentMutexConcurrencyController(),
            });
      await all;
      // The last ones' commits are still under way, and nothing tells of them.
      while (await pending()) await new Promise((resolve) => setTimeout(resolve, 10));
      await shutdown();
    },
    close: () => pool.end(),
  };
}
