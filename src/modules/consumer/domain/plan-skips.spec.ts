import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planSkips } from './plan-skips.js';

const letter = (keySeq: number, fields: { status?: string; ours?: boolean } = {}) => ({
  deadLetterId: `l${keySeq}`,
  status: 'DEAD',
  ours: true,
  version: { tenantId: 't', aggregateId: 'a', keySeq },
  ...fields,
});

describe('the plan of skips', () => {
  it('moves a mark by exactly the letters that it skips, one version after the other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 8 })), fc.nat(4), (seqs, applied) => {
        const { skip, marks, refused } = planSkips(
          seqs.map((seq) => letter(seq)),
          new Map([['t/a', applied]]),
        );
        let mark = applied;
        while (seqs.includes(mark + 1)) mark += 1;
        expect(marks.get('t/a') ?? applied).toBe(mark);
        expect(new Set(skip)).toEqual(new Set(seqs.filter((seq) => seq <= mark).map((seq) => `l${seq}`)));
        expect(refused.length).toBe(seqs.filter((seq) => seq > mark).length);
      }),
    );
  });

  it("lets a stranger's event, or one of no key, move nothing, and refuses what is on its way", () => {
    const unreadable = { deadLetterId: 'u', status: 'DEAD', version: null, ours: false };
    const plan = planSkips(
      [letter(1, { ours: false }), unreadable, letter(2, { status: 'REPLAYING' })],
      new Map(),
    );
    expect(plan).toEqual({
      skip: ['u', 'l1'],
      marks: new Map(),
      refused: [{ deadLetterId: 'l2', why: 'it is REPLAYING' }],
    });
  });
});
