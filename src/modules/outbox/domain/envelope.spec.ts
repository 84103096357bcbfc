import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { envelopeJson, type OutboxEvent } from './envelope.js';

const event: OutboxEvent = {
  slot: 1,
  priority: 0,
  queueId: '7',
  tenantId: 'tenant',
  aggregateId: 'aggregate',
  keySeq: 3,
  occurredAt: '2027-03-01T10:00:00.000001Z',
  eventId: 'event',
  aggregateType: 'reservation',
  type: 'reservation.created',
  version: 1,
  data: '{}',
  correlationId: 'correlation',
  traceparent: 'trace',
  attempts: 0,
};

describe('the envelope', () => {
  it('is JSON that holds the data as it was stored, whatever it is, and nothing of the queue', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (data) => {
        const stored = JSON.stringify(data);
        const { data: got, ...head } = JSON.parse(envelopeJson({ ...event, data: stored })) as Record<
          string,
          unknown
        >;
        expect(JSON.stringify(got)).toBe(JSON.stringify(JSON.parse(stored)));
        expect(Object.keys(head).sort()).toEqual([
          ...['aggregateId', 'aggregateType', 'correlationId', 'eventId', 'keySeq'],
          ...['occurredAt', 'tenantId', 'type', 'version'],
        ]);
      }),
    );
  });
});
