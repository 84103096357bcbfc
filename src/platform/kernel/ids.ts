import { freshBytes } from './random.js';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** The tenant of a row, a token, a message: a UUID. Branded, so that no other id passes for it. */
export type TenantId = Branded<string, 'TenantId'>;

/** The platform's own tenant: only in its scope is the list of tenants seen, and nothing else. What it does to a tenant is recorded under that tenant. */
export const PLATFORM_TENANT_ID = '00000000-0000-0000-0000-000000000000' as TenantId;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `value` is a UUID in its canonical lower-case form. */
export const isUuid = (value: string): boolean => UUID.test(value);

/** @throws TypeError when `value` is no canonical UUID: a tenant that didn't come through a checked door is a bug. */
export function tenantId(value: string): TenantId {
  if (!isUuid(value)) throw new TypeError('not a tenant id');
  return value as TenantId;
}

let lastMs = 0;
let counter = 0;

/**
 * A new UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter that keeps ids of one process in order, 62 random bits.
 * Time-ordered ids keep the B-trees of hot tables append-only.
 */
export function newId(now: number = Date.now()): string {
  if (now > lastMs) {
    lastMs = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const a = (0x7000 | counter).toString(16);
  const random = freshBytes(8);
  random[0] = (random[0]! & 0x3f) | 0x80;
  const tail = random.toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-${a}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
