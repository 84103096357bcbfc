import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isUuid, newId, PLATFORM_TENANT_ID, tenantId } from './ids.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Past anything that another test of this file asked for: the generator never goes back. */
let future = Date.now() + 86_400_000;
const laterThanAll = (): number => (future += 3_600_000);
const timeOf = (id: string): number => parseInt(id.replaceAll('-', '').slice(0, 12), 16);

describe('newId', () => {
  it('makes UUIDs of version 7 and variant 10 (RFC 9562)', () => {
    for (let i = 0; i < 10_000; i++) expect(newId()).toMatch(UUID_V7);
  });

  it('puts the milliseconds into the first 48 bits', () => {
    const now = laterThanAll();
    expect(timeOf(newId(now))).toBe(now);
  });

  it('keeps the ids of one process in order, 10,000 within one millisecond as well', () => {
    const now = laterThanAll();
    const ids = Array.from({ length: 10_000 }, () => newId(now));
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => UUID_V7.test(id))).toBe(true);
    // 4,096 ids fill a millisecond's counter: the rest borrow from the two that follow.
    expect(timeOf(ids.at(-1)!)).toBe(now + 2);
  });

  it('keeps the order when the clock jumps back', () => {
    const now = laterThanAll();
    const before = newId(now);
    const after = newId(now - 60_000);
    expect(after > before).toBe(true);
  });

  it('gives two ids of one millisecond other random bits', () => {
    const now = laterThanAll();
    const tails = Array.from({ length: 4_000 }, () => newId(now).slice(19));
    expect(new Set(tails).size).toBe(tails.length);
  });
});

describe('isUuid and tenantId', () => {
  it('accept the canonical lower-case form', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(isUuid(id)).toBe(true);
        expect(tenantId(id)).toBe(id);
      }),
    );
    expect(tenantId(PLATFORM_TENANT_ID)).toBe('00000000-0000-0000-0000-000000000000');
  });

  it.each([
    ['nothing', ''],
    ['upper case', '018F2A2E-7C5B-7D3E-8A4B-0123456789AB'],
    ['braces', '{018f2a2e-7c5b-7d3e-8a4b-0123456789ab}'],
    ['no hyphens', '018f2a2e7c5b7d3e8a4b0123456789ab'],
    ['a trailing newline', '018f2a2e-7c5b-7d3e-8a4b-0123456789ab\n'],
    ['a quote after it', "018f2a2e-7c5b-7d3e-8a4b-0123456789ab'"],
  ])('refuse %s', (_, value) => {
    expect(isUuid(value)).toBe(false);
    expect(() => tenantId(value)).toThrow(TypeError);
  });
});
