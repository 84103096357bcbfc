import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { newId } from '../../../platform/kernel/ids.js';
import { decodeRecord } from './decode.js';

const event = {
  eventId: newId(),
  tenantId: newId(),
  type: 'reservation.created',
  version: 1,
  aggregateType: 'reservation',
  aggregateId: newId(),
  keySeq: 1,
  occurredAt: '2027-03-01T10:00:00.000001Z',
  correlationId: newId(),
  data: {
    propertyId: newId(),
    confirmationNumber: '2345678A',
    status: 'CONFIRMED',
    roomTypeId: newId(),
    ratePlanId: newId(),
    guestId: newId(),
    arrival: '2027-03-01',
    departure: '2027-03-03',
    dayUse: false,
    adults: 2,
    children: 0,
    babies: 0,
    currency: 'EUR',
    nightlyMinor: [100, -200],
    roomNumber: null,
    origin: 'http',
    externalId: null,
    previous: null,
  },
};
const recordOf = (value: unknown) => ({
  partition: 0,
  offset: 0n,
  key: event.aggregateId,
  value: Buffer.from(JSON.stringify(value)),
  headers: { ce_tenantid: event.tenantId },
});
const codeOf = (value: unknown): string => {
  const decoded = decodeRecord(recordOf(value));
  return decoded.kind === 'event' ? 'OK' : decoded.code;
};
const withData = (data: object): object => ({ ...event, data: { ...event.data, ...data } });

describe('decoding a record', () => {
  it('gives an answer to any bytes, and takes only what is whole', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(decodeRecord({ ...recordOf(null), value: Buffer.from(bytes) }).kind).toBe('bad');
        },
      ),
    );
    expect(codeOf(event)).toBe('OK');
  });

  it('refuses an envelope that lacks any of its fields, or has another kind of value there', () => {
    for (const field of Object.keys(event))
      for (const value of [undefined, null, true, -1, 1.5, 'text', [], '2027-03-01'])
        expect([field, value, codeOf({ ...event, [field]: value })]).not.toContain('OK');
  });

  it('names the cause', () => {
    expect(codeOf({ ...event, type: 'reservation' })).toBe('UNKNOWN_EVENT_TYPE');
    expect(codeOf({ ...event, type: 'reservation.created.again' })).toBe('UNKNOWN_EVENT_TYPE');
    expect(codeOf({ ...event, type: 'reservation.changed' })).toBe('UNKNOWN_EVENT_TYPE');
    expect(codeOf({ ...event, type: 'guest.created' })).toBe('UNKNOWN_EVENT_TYPE');
    expect(codeOf({ ...event, type: 'constructor.name', aggregateType: 'constructor' })).toBe(
      'UNKNOWN_EVENT_TYPE',
    );
    expect(codeOf({ ...event, version: 2 })).toBe('UNKNOWN_EVENT_VERSION');
    expect(decodeRecord({ ...recordOf(event), headers: {} })).toMatchObject({
      code: 'TENANT_MISMATCH',
      identity: null,
    });
    expect(decodeRecord({ ...recordOf(event), key: newId() })).toMatchObject({
      code: 'KEY_MISMATCH',
      identity: null,
    });
  });

  it("checks an event's data by its schema, so that no projection meets what it can't add up", () => {
    const faults = [
      { propertyId: 'x' },
      { status: 'ARRIVED' },
      { arrival: '2027-02-30' },
      { departure: '2027-03-04' },
      { nightlyMinor: [100, 0.5] },
      { nightlyMinor: [100, Number.MAX_SAFE_INTEGER + 1] },
      { previous: undefined },
      { previous: { ...event.data, status: 'ARRIVED' } },
      { previous: [] },
      { guestId: undefined },
      { currency: 'euro' },
    ];
    for (const fault of faults)
      expect([fault, codeOf(withData(fault))]).toEqual([fault, 'INVALID_EVENT_DATA']);
    expect(codeOf(withData({ previous: event.data }))).toBe('OK');
    // A producer that is newer by a member, but not by a version.
    expect(codeOf(withData({ later: 'x' }))).toBe('OK');
  });
});
