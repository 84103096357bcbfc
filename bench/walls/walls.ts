/** What is switched off in a build of the bench, to tell what it costs. */
export type Wall = 'tenant scope' | 'audit row' | 'idempotency';

/** What stands once in the module, and what is to stand there instead. */
type Change = readonly [what: string | RegExp, instead: string];

/**
 * By wall and module below `src/`. The tenant scope's other half, row-level security, is switched off in its database.
 * Compiled code has the same words as its source: only types are gone.
 */
export const WALLS: Readonly<Record<Wall, Readonly<Record<string, readonly Change[]>>>> = {
  'tenant scope': {
    // The round trip stays: it tries the locks of the idempotency keys as well.
    'platform/database/tenant-scope': [["set_config('app.tenant_id', $1, true)", '$1::text']],
  },
  'audit row': {
    'modules/outbox/contract/append-changes': [
      // Its parameters keep their types.
      [/INSERT INTO audit_log[^`]*?FROM/, 'SELECT FROM'],
    ],
    'modules/reservations/commands/execute-list': [
      ['changes.map(({ ctx, change }) => auditOf(ctx, change))', '[]'],
      ['changes: changesOf(decision)', 'changes: {}'],
    ],
  },
  idempotency: {
    'platform/http/request': [['claimOf(requestOf(context))', 'null']],
  },
};

/**
 * The source of a module without a wall; as it is, when the wall has no part in it.
 * @param module below `src/`, without extension
 * @throws Error when what is to be replaced isn't there exactly once
 */
export function without(wall: Wall, module: string, source: string): string {
  let text = source;
  for (const [what, instead] of WALLS[wall][module] ?? []) {
    const parts = text.split(what);
    if (parts.length !== 2)
      throw new Error(
        `${module}: ${String(what)} of the ${wall} is there ${parts.length - 1} times, not once`,
      );
    text = parts.join(instead);
  }
  return text;
}
