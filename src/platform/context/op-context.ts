import { DomainError } from '../kernel/errors.js';
import { newId, type TenantId } from '../kernel/ids.js';
import { freshBytes } from '../kernel/random.js';

/** Where a command came from; kept in the audit row. */
export type Source = 'http' | 'cli' | 'import' | 'system';

/** Who acts. `subject` is the token's `sub`, the operator's name, or the loop's (`system:hold-expiry`); never a guest's name. */
export interface Actor {
  readonly subject: string;
  readonly permissions: ReadonlySet<string>;
}

/**
 * All that a command knows about its caller: made at the door (HTTP, CLI, message) and passed on as an argument.
 * `correlationId` names the request for ever ("where is my request?"); `receivedAt` is its first checkpoint.
 */
export interface OpContext {
  readonly tenantId: TenantId;
  readonly actor: Actor;
  readonly correlationId: string;
  readonly traceparent: string;
  readonly source: Source;
  readonly ip: string | null;
  readonly receivedAt: Date;
}

/** W3C trace context, version 00: continues a valid parent's trace or begins one. */
export function traceparentFrom(parent?: string): string {
  const match = /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/.exec(parent ?? '');
  const trace = match && !/^0+$/.test(match[1]!) ? match[1]! : freshBytes(16).toString('hex');
  return `00-${trace}-${freshBytes(8).toString('hex')}-${match?.[2] ?? '01'}`;
}

/** The trace's id of a traceparent of ours: what all log lines of one request have in common. */
export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);

/** A context for work that no request carries: the CLI, a sweep, an import. */
export function makeContext(fields: {
  tenantId: TenantId;
  subject: string;
  permissions: Iterable<string>;
  source: Source;
  correlationId?: string;
  traceparent?: string;
  ip?: string | null;
  receivedAt?: Date;
}): OpContext {
  return {
    tenantId: fields.tenantId,
    actor: { subject: fields.subject, permissions: new Set(fields.permissions) },
    correlationId: fields.correlationId ?? newId(),
    traceparent: traceparentFrom(fields.traceparent),
    source: fields.source,
    ip: fields.ip ?? null,
    receivedAt: fields.receivedAt ?? new Date(),
  };
}

/** Whether the actor holds `permission`, by name or by `*`. */
export const may = (ctx: OpContext, permission: string): boolean =>
  ctx.actor.permissions.has(permission) || ctx.actor.permissions.has('*');

/** @throws DomainError PERMISSION_DENIED (403). */
export function requirePermission(ctx: OpContext, permission: string): void {
  if (!may(ctx, permission))
    throw new DomainError('PERMISSION_DENIED', 'AUTHZ', `This needs the permission ${permission}.`, {
      permission,
    });
}
