import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { FlowAuditor } from '../../src/modules/lifecycle/auditor/flow-auditor.js';
import {
  REQUEST_EVENTS,
  REQUEST_LEAST,
} from '../../src/modules/lifecycle/persistence/lifecycle-statements.js';
import { readFigures } from '../../src/modules/health/reliability/figures-store.js';
import { ReliabilityMonitor } from '../../src/modules/health/reliability/reliability-monitor.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { GROUP, ReliablePath, TOPIC } from '../support/reliable-path.js';

const REQUESTS = 100_000;
const LAST_TENANT = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Past requests of one tenant, published and applied; every tenth event stands in the queue instead. */
const FILL = `
  WITH e AS (
    INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type, event_version,
      data, correlation_id, traceparent, actor, received_at)
    SELECT $1, md5('a' || n)::uuid, 1, now() - interval '1 hour' + n * interval '1 ms', md5('e' || n)::uuid, 'guest',
           'guest.created', 1, '{}', md5('c' || n)::uuid, '', 'tester', now() FROM generate_series(1, $2::int) n
    RETURNING *),
  done AS (SELECT *, row_number() OVER (ORDER BY occurred_at) AS n FROM e),
  r AS (
    INSERT INTO event_receipts (tenant_id, aggregate_id, key_seq, occurred_at, published_at, partition, log_offset)
    SELECT tenant_id, aggregate_id, 1, occurred_at, occurred_at, n % 2, n / 2 FROM done WHERE n % 10 > 0),
  i AS (
    INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
    SELECT tenant_id, aggregate_id, 1, occurred_at, event_id, now() FROM done WHERE n % 10 > 0),
  m AS (
    INSERT INTO event_key_marks (tenant_id, aggregate_id, applied_seq)
    SELECT tenant_id, aggregate_id, 1 FROM done WHERE n % 10 > 0)
  INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at)
  SELECT n / 10 % 16, 1, tenant_id, aggregate_id, 1, occurred_at FROM done WHERE n % 10 = 0`;

describe('with 100,000 requests on record', () => {
  let path: ReliablePath;
  let early: pg.Client;
  const named = { events: REQUEST_EVENTS, least: REQUEST_LEAST };
  const values = (id: string): Record<keyof typeof named, string> => ({
    events: `'${path.house.tenantId}', '${id}', '-infinity', '${LAST_TENANT.replaceAll('f', '0')}', 0, 50`,
    least: `'${path.house.tenantId}', '${id}'`,
  });

  beforeAll(async () => {
    path = await ReliablePath.open(2);
    // Plans that were made while the tables were empty, and are kept.
    early = await session();
    await early.query(`SET plan_cache_mode = force_generic_plan`);
    await prepare(early);
    await explain(early, 'events', LAST_TENANT);
    await explain(early, 'least', LAST_TENANT);
    await path.rows(FILL, [path.house.tenantId, REQUESTS]);
  });
  afterAll(async () => {
    await early.end();
    await path.close();
  });

  async function session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: path.db.appUrl });
    await client.connect();
    await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [path.house.tenantId]);
    return client;
  }
  async function prepare(client: pg.Client): Promise<void> {
    const types = { events: 'uuid, uuid, timestamptz, uuid, int, int', least: 'uuid, uuid' };
    for (const name of ['events', 'least'] as const)
      await client.query(`PREPARE ${name} (${types[name]}) AS ${named[name].text}`);
  }
  interface Plan {
    readonly blocks: number;
    readonly rows: number;
    readonly scans: string[];
  }
  async function explain(client: pg.Client, name: keyof typeof named, id: string): Promise<Plan> {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE ${name} (${values(id)[name]})`,
    );
    const top = rows[0]!['QUERY PLAN'][0].Plan;
    const scans: string[] = [];
    walk(top, (node) => {
      if (node['Relation Name']?.startsWith('outbox_events') && touched(node))
        scans.push(
          `${node['Node Type']} ${/correlation/.test(node['Index Name'] ?? '') ? 'by correlation id' : ''}`,
        );
    });
    return { blocks: top['Shared Hit Blocks'] + top['Shared Read Blocks'], rows: top['Actual Rows'], scans };
  }

  it.each([
    ['made while the tables were empty', false],
    ['made for what is there', true],
  ])('a request is found by its correlation id, with a plan %s', async (_, fresh) => {
    let client = early;
    if (fresh) {
      await path.rows(`ANALYZE`);
      client = await session();
      await prepare(client);
    }
    try {
      for (const name of ['events', 'least'] as const) {
        const [{ id }] = (await path.rows<{ id: string }>(`SELECT md5('c77777')::uuid AS id`)) as [
          { id: string },
        ];
        const { blocks, rows, scans } = await explain(client, name, id);
        expect([name, rows, [...new Set(scans)]]).toEqual([name, 1, ['Index Scan by correlation id']]);
        // Some four a partition and table. A scan of the events would read thousands.
        expect(blocks).toBeLessThan(150);
      }
    } finally {
      if (fresh) await client.end();
    }
  });

  it('the auditor looks through all of it in bounded steps, and finds one lost event in it', async () => {
    await path.rows(`DELETE FROM event_key_marks WHERE aggregate_id = md5('a50001')::uuid`);
    await path.rows(
      `INSERT INTO reservation_event_offsets (consumer_group, topic, partition, next_offset, committed_at)
       SELECT $1, $2, p, 1000000, now() FROM generate_series(0, 1) p`,
      [GROUP, TOPIC],
    );
    // As a worker connects.
    const source = await openDataSource(path.db.workerUrl, {
      poolSize: 2,
      applicationName: 'test',
      entities: [],
      settings: { enable_seqscan: 'off', enable_bitmapscan: 'off' },
    });
    try {
      const auditor = new FlowAuditor(
        new BackgroundWork(source),
        path.log(),
        { group: GROUP, topic: TOPIC, persistedStallMs: 60_000, publishedStallMs: 60_000, maxResumes: 3 },
        path.reports,
      );
      let steps = 1;
      while (await auditor.loop.runOnce()) steps += 1;
      expect(steps).toBeGreaterThanOrEqual(REQUESTS / 2 / 2_000 / 2);
      const found = await path.rows(
        `SELECT aggregate_id, tries FROM lifecycle_stalls WHERE state = 'PUBLISHED'`,
      );
      const [lost] = await path.rows(`SELECT md5('a50001')::uuid AS aggregate_id, 1 AS tries`);
      expect(found).toEqual([lost]);
      // Of the queue the heads: one a slot here, however many stand behind them.
      expect(
        await path.rows(`SELECT count(*)::int AS n FROM lifecycle_stalls WHERE state = 'PERSISTED'`),
      ).toEqual([{ n: 16 }]);
    } finally {
      await source.destroy();
    }
  });

  it('the reliability figures are there', async () => {
    const doors = { uow: path.uow, work: path.work, log: new MemoryEventLog({ store: path.store }) };
    await new ReliabilityMonitor(doors, { group: GROUP, topic: TOPIC }, path.reports).loop.runOnce();
    const { figures } = (await readFigures(path.uow))!;
    expect(figures.backlog).toBeGreaterThanOrEqual(REQUESTS / 10);
    expect(figures.backlogAgeSeconds).toBeGreaterThan(3_000);
  });
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** An empty month is read from end to end, and that is no harm. */
const touched = (node: PlanNode): boolean =>
  node['Actual Rows'] > 0 || (node['Rows Removed by Filter'] ?? 0) > 0;

function walk(node: PlanNode, visit: (node: PlanNode) => void): void {
  visit(node);
  for (const child of node.Plans ?? []) walk(child, visit);
}
