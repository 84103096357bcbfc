import type { OpContext } from '../../../platform/context/op-context.js';
import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork, ReadTx, Tx } from '../../../platform/database/unit-of-work.js';
import { newId, type TenantId } from '../../../platform/kernel/ids.js';

/** What is to be resumed: what a request caused (by its correlation id), or a reservation. */
export interface Subject {
  readonly type: 'request' | 'reservation';
  readonly id: string;
}

/** What a resumption did. */
export interface ResumptionOutcome {
  /** Events that are not settled, of all keys concerned. */
  readonly open: number;
  /** Of these: whose keys were let go; published again; dead letters sent off; shown to the relay again. */
  readonly released: number;
  readonly publishedAgain: number;
  readonly replayed: number;
  readonly woken: number;
  /** Of these: nothing but to wait for the consumer. */
  readonly waiting: number;
}

/** A resumption as it is shown. */
export interface ResumptionView {
  readonly id: string;
  readonly state: 'REQUESTED' | 'DONE';
  readonly reason: string;
  readonly actor: string;
  readonly requestedAt: string;
  readonly doneAt: string | null;
  readonly outcome: ResumptionOutcome | null;
}

/** A resumption that a worker has in hand. */
export interface RequestedResumption {
  readonly tenantId: TenantId;
  readonly id: string;
  readonly subjectType: Subject['type'];
  readonly subjectId: string;
  readonly reason: string;
  readonly actor: string;
  readonly source: OpContext['source'];
  readonly ip: string | null;
  readonly correlationId: string;
  /** Null: it is to be done. */
  readonly outcome: ResumptionOutcome | null;
}

const time = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const VIEW = `resumption_id AS id, CASE WHEN done_at IS NULL THEN 'REQUESTED' ELSE 'DONE' END AS state, reason, actor,
  ${time('requested_at')} AS "requestedAt", ${time('done_at')} AS "doneAt", outcome`;

const ADD = sql(
  'lifecycle.add_resumption',
  `INSERT INTO lifecycle_resumptions (tenant_id, resumption_id, subject_type, subject_id, reason, actor, source, ip, correlation_id)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${VIEW}`,
);
const RECENT = sql(
  'lifecycle.recent_resumptions',
  `SELECT ${VIEW} FROM lifecycle_resumptions WHERE subject_id = $2 AND tenant_id = $1 ORDER BY requested_at DESC LIMIT 10`,
);
const IN_HAND = `tenant_id AS "tenantId", resumption_id AS id, subject_type AS "subjectType", subject_id AS "subjectId", reason,
  actor, source, host(ip) AS ip, correlation_id AS "correlationId", outcome`;
const TAKE = sql(
  'lifecycle.take_resumption',
  `SELECT ${IN_HAND} FROM lifecycle_resumptions WHERE done_at IS NULL ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
);
const LOCK = sql(
  'lifecycle.lock_resumption',
  `SELECT ${IN_HAND} FROM lifecycle_resumptions WHERE tenant_id = $1 AND resumption_id = $2 FOR UPDATE`,
);
const WAITING = sql(
  'lifecycle.waiting_resumption',
  `SELECT resumption_id AS id FROM lifecycle_resumptions WHERE done_at IS NULL LIMIT 1`,
);
const FINISH = sql(
  'lifecycle.finish_resumption',
  `UPDATE lifecycle_resumptions SET outcome = $3, done_at = clock_timestamp() WHERE tenant_id = $1 AND resumption_id = $2`,
);

/** Writes down what an operator asks for. */
export async function addResumption(
  tx: Tx,
  ctx: OpContext,
  { type, id }: Subject,
  reason: string,
): Promise<ResumptionView> {
  const { actor, source, ip, correlationId } = ctx;
  const values = [tx.tenantId, newId(), type, id, reason, actor.subject, source, ip, correlationId];
  const [row] = await tx.query<ResumptionView>(ADD, values);
  return row!;
}

/** What was asked for about a subject, newest first, ten at most. */
export const recentResumptions = (tx: ReadTx, subjectId: string): Promise<ResumptionView[]> =>
  tx.query<ResumptionView>(RECENT, [tx.tenantId, subjectId]);

/** Whether any is to be done. */
export const waitingResumption = async (work: BackgroundWork): Promise<boolean> =>
  (await work.query(WAITING, [])).length > 0;

/** The oldest that nobody has in hand, locked; undefined: none. */
export async function takeResumption(tx: BackgroundTx): Promise<RequestedResumption | undefined> {
  return (await tx.query<RequestedResumption>(TAKE, []))[0];
}

/** This one, locked, done or not. */
export async function lockResumption(
  tx: BackgroundTx,
  tenantId: string,
  id: string,
): Promise<RequestedResumption> {
  return (await tx.query<RequestedResumption>(LOCK, [tenantId, id]))[0]!;
}

export async function finishResumption(
  tx: BackgroundTx,
  { tenantId, id }: Pick<RequestedResumption, 'tenantId' | 'id'>,
  outcome: ResumptionOutcome,
): Promise<void> {
  await tx.query(FINISH, [tenantId, id, JSON.stringify(outcome)]);
}
