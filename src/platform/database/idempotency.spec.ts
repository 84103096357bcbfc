import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { tenantId } from '../kernel/ids.js';
import { claimLock, requestHash } from './idempotency.js';

describe('the hash of a request', () => {
  it('is the one that is kept since the first version: an upgrade forgets no key', () => {
    // printf 'POST /v1/reservations\n{"adults":2}' | sha256sum
    expect(requestHash('POST', '/v1/reservations', { adults: 2 })).toBe(
      'a51862583919b3de272bfa9ee4776641526f721dd86f1ed80d841c398a6f1359',
    );
  });

  it('tells method, path and body apart, and takes no body for null', () => {
    const hashes = [
      requestHash('POST', '/v1/a', null),
      requestHash('PUT', '/v1/a', null),
      requestHash('POST', '/v1/b', null),
      requestHash('POST', '/v1/a', {}),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(requestHash('POST', '/v1/a', undefined)).toBe(hashes[0]);
  });
});

describe('the lock of a claim', () => {
  it('is another one for every other tenant, principal or key', () => {
    // Of few letters, so that those that run into one another meet.
    const word = fc.stringMatching(/^[a ",]{1,3}$/);
    const tenant = fc.constantFrom(
      '019a0000-0000-7000-8000-000000000001',
      '019a0000-0000-7000-8000-000000000002',
    );
    const claim = fc.record({ tenant, principal: word, key: word });
    const lock = ({ tenant, principal, key }: { tenant: string; principal: string; key: string }): string =>
      claimLock(tenantId(tenant), { principal, key, requestHash: '' });
    fc.assert(
      fc.property(claim, claim, (one, other) => {
        expect(lock(one) === lock(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
      { numRuns: 2_000 },
    );
  });
});
