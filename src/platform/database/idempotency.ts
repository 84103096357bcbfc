import { hash } from 'node:crypto';
import { DomainError } from '../kernel/errors.js';
import type { TenantId } from '../kernel/ids.js';
import { sql } from './sql.js';
import type { Tx, UnitOfWork } from './unit-of-work.js';

/** A request's claim on its `Idempotency-Key`, kept per tenant and principal. */
export interface Claim {
  readonly principal: string;
  readonly key: string;
  /** SHA-256 of method, path and body, hexadecimal. */
  readonly requestHash: string;
}

/** An answer as it is kept and given again, byte for byte. */
export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The hash that tells whether a key comes back with the same request. */
export const requestHash = (method: string, path: string, body: unknown): string =>
  // In one call: `createHash` makes a stream each time.
  hash('sha256', `${method} ${path}\n${JSON.stringify(body ?? null)}`);

/** The advisory lock of a claim: its holder is the running twin. */
export const claimLock = (tenant: TenantId, claim: Claim): string =>
  JSON.stringify(['idempotency', tenant, claim.principal, claim.key]);

/** 409 for the twin of a request that still runs. */
export const inProgress = (): DomainError =>
  new DomainError('REQUEST_IN_PROGRESS', 'CONFLICT', 'A request with this Idempotency-Key is still running.');

/** What the table keeps of a key. */
export interface KeyRow {
  /** As `Claim.requestHash`. */
  readonly hash: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/**
 * The kept answer of a key.
 * @throws DomainError IDEMPOTENCY_KEY_REUSED (422) when the key came with another request
 */
export function answerOf(row: KeyRow, claim: Claim): StoredAnswer {
  if (row.hash !== claim.requestHash)
    throw new DomainError(
      'IDEMPOTENCY_KEY_REUSED',
      'VALIDATION',
      'This Idempotency-Key was used with another request.',
    );
  return { status: row.status, headers: { ...row.headers, 'idempotency-replayed': 'true' }, body: row.body };
}

const FIND = sql(
  'idempotency.find',
  `SELECT encode(request_hash, 'hex') AS hash, status, headers, body FROM idempotency_keys
    WHERE tenant_id = $1 AND principal = $2 AND key = $3`,
);
const KEEP = sql(
  'idempotency.keep',
  `INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body)
   VALUES ($1, $2, $3, decode($4, 'hex'), $5, $6, $7)`,
);

/**
 * Runs a command once per key: the kept answer if there is one, else the work, whose answer is kept in its transaction.
 * A refusal rolls everything back and is not kept. Without a claim (CLI, sweeps) it is a plain unit of work.
 * @throws DomainError REQUEST_IN_PROGRESS (409), IDEMPOTENCY_KEY_REUSED (422)
 */
export async function runOnce(
  uow: UnitOfWork,
  scope: { readonly tenantId: TenantId },
  name: string,
  claim: Claim | null,
  work: (tx: Tx) => Promise<StoredAnswer>,
): Promise<StoredAnswer> {
  if (!claim) return uow.run(scope, name, work);
  return uow.runLocking(scope, name, [claimLock(scope.tenantId, claim)], async (tx, [mine]) => {
    if (!mine) throw inProgress();
    const [kept] = await tx.query<KeyRow>(FIND, [tx.tenantId, claim.principal, claim.key]);
    if (kept) return answerOf(kept, claim);
    const answer = await work(tx);
    await tx.query(KEEP, [
      tx.tenantId,
      claim.principal,
      claim.key,
      claim.requestHash,
      answer.status,
      answer.headers,
      answer.body,
    ]);
    return answer;
  });
}
