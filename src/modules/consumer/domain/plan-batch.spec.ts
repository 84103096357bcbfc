import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DecodedRecord } from './decode.js';
import { type KeyState, keyOf, planBatch } from './plan-batch.js';

const KEYS = ['a', 'b', 'c'];
const identity = (aggregateId: string, keySeq: number) => ({
  eventId: `${aggregateId}${keySeq}`,
  tenantId: 't',
  aggregateId,
  keySeq,
  occurredAt: '2027-03-01T10:00:00Z',
});
const record = { partition: 0, offset: 0n, key: null, value: null, headers: {} };

function delivered(aggregateId: string, keySeq: number, bad = false): DecodedRecord {
  const event = identity(aggregateId, keySeq);
  if (bad)
    return { kind: 'bad', record, code: 'UNKNOWN_EVENT_TYPE', cause: '', retryCount: 0, identity: event };
  const rest = {
    type: 'guest.changed',
    version: 1,
    aggregateType: 'guest',
    correlationId: '',
    data: {},
  } as const;
  return { kind: 'event', record, event: { ...event, ...rest } };
}

const deliveries = fc.array(
  fc.record({ key: fc.constantFrom(...KEYS), seq: fc.integer({ min: 1, max: 6 }), bad: fc.boolean() }),
  { maxLength: 60 },
);

describe('the plan of a batch', () => {
  it('applies the versions of a key in order, without gaps, each once, whatever is delivered', () => {
    fc.assert(
      fc.property(deliveries, fc.nat(4), (list, before) => {
        const states = new Map<string, KeyState>(
          KEYS.map((key) => [keyOf(identity(key, 1)), { appliedSeq: before, buriedSeqs: [] }]),
        );
        const records = list.map(({ key, seq, bad }) => delivered(key, seq, bad));
        const { apply, duplicates, bury } = planBatch(records, states);
        expect(apply.length + duplicates.length + bury.length).toBe(records.length);
        for (const key of KEYS) {
          const seqs = apply
            .filter(({ event }) => event.aggregateId === key)
            .map(({ event }) => event.keySeq);
          expect(seqs).toEqual(seqs.map((_, i) => before + 1 + i));
          const buried = bury
            .filter((one) => one.identity!.aggregateId === key)
            .map((one) => one.identity!.keySeq);
          expect(new Set(buried).size).toBe(buried.length);
        }
      }),
    );
  });

  it('comes to the same in one batch as in many', () => {
    fc.assert(
      fc.property(deliveries, fc.nat(60), (list, cut) => {
        const records = list.map(({ key, seq, bad }) => delivered(key, seq, bad));
        const whole = planBatch(records, new Map());
        const first = planBatch(records.slice(0, cut), new Map());
        const between = new Map<string, KeyState>(
          KEYS.map((key) => [
            keyOf(identity(key, 1)),
            {
              appliedSeq: Math.max(
                0,
                ...first.apply
                  .filter(({ event }) => event.aggregateId === key)
                  .map(({ event }) => event.keySeq),
              ),
              buriedSeqs: first.bury
                .filter((one) => one.identity!.aggregateId === key)
                .map((one) => one.identity!.keySeq),
            },
          ]),
        );
        const second = planBatch(records.slice(cut), between);
        expect([...first.apply, ...second.apply]).toEqual(whole.apply);
        expect([...first.bury, ...second.bury].map(({ code, status }) => [code, status])).toEqual(
          whole.bury.map(({ code, status }) => [code, status]),
        );
      }),
    );
  });

  it('lets nothing of a foreign or unreadable record touch a key', () => {
    const unreadable: DecodedRecord = {
      kind: 'bad',
      record,
      code: 'TENANT_MISMATCH',
      cause: '',
      retryCount: 0,
      identity: null,
    };
    const { apply, bury } = planBatch([unreadable, delivered('a', 1)], new Map());
    expect([apply.length, bury.map(({ status }) => status)]).toEqual([1, ['DEAD']]);
  });
});
