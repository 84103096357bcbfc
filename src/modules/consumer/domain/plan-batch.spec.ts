import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { BadRecord, DecodedRecord } from './decode.js';
import type { ReplayMark } from './incoming.js';
import {
  type BatchPlan,
  identityOf,
  type KeyState,
  keyOf,
  type LetterState,
  planBatch,
  type VersionState,
} from './plan-batch.js';

const KEYS = ['a', 'b', 'c'];
const identity = (aggregateId: string, keySeq: number, copy = '') => ({
  eventId: `${aggregateId}${keySeq}${copy}`,
  tenantId: 't',
  aggregateId,
  keySeq,
  occurredAt: '2027-03-01T10:00:00Z',
});
const record = { partition: 0, offset: 0n, key: null, value: null, headers: {} };

interface Delivery {
  readonly key: string;
  readonly seq: number;
  readonly bad?: boolean;
  /** Not empty: another event under the same version. */
  readonly copy?: string;
}

function delivered({ key, seq, bad, copy }: Delivery, replayOf: ReplayMark | null = null): DecodedRecord {
  const event = identity(key, seq, copy);
  if (bad)
    return {
      kind: 'bad',
      record,
      code: 'UNKNOWN_EVENT_TYPE',
      cause: '',
      retryCount: 0,
      identity: event,
      replayOf,
    };
  const rest = {
    type: 'guest.changed',
    version: 1,
    aggregateType: 'guest',
    correlationId: '',
    data: {},
  } as const;
  return { kind: 'event', record, event: { ...event, ...rest }, replayOf };
}

const delivery = fc.record({
  key: fc.constantFrom(...KEYS),
  seq: fc.integer({ min: 1, max: 6 }),
  bad: fc.boolean(),
  copy: fc.constantFrom('', '', '', 'x'),
});
const deliveries = fc.array(delivery, { maxLength: 60 });

interface Letter extends LetterState {
  readonly key: string;
  readonly seq: number;
  status: 'DEAD' | 'PARKED' | 'REPLAYING' | 'RESOLVED' | 'SKIPPED';
  readonly origin: 'DEAD' | 'PARKED';
  readonly rewind: boolean;
  replay: number;
}

/** What the database keeps, as far as plans need it: the store's statements in a few lines. */
class Ledger {
  readonly applied: { key: string; seq: number; eventId: string }[] = [];
  readonly marks = new Map<string, number>();
  readonly letters: Letter[] = [];

  plan(records: readonly DecodedRecord[]): BatchPlan {
    const plan = planBatch(records, this.states(), this.lettersById());
    for (const { event } of plan.apply) {
      this.applied.push({ key: event.aggregateId, seq: event.keySeq, eventId: event.eventId });
      this.marks.set(event.aggregateId, event.keySeq);
    }
    for (const { identity: of, status, code } of plan.bury)
      this.letters.push({
        tenantId: 't',
        deadLetterId: `letter${this.letters.length}`,
        eventId: of!.eventId,
        key: of!.aggregateId,
        seq: of!.keySeq,
        status,
        origin: status,
        rewind: code === 'KEY_REWIND',
        replaying: false,
        replay: 0,
      });
    for (const end of plan.replays) {
      const letter = this.letters.find(({ deadLetterId }) => deadLetterId === end.deadLetterId)!;
      expect([letter.status, letter.replay]).toEqual(['REPLAYING', end.replay]);
      letter.status = { RESOLVED: 'RESOLVED', FAILED: 'DEAD', EARLY: letter.origin }[
        end.outcome
      ] as Letter['status'];
    }
    return plan;
  }

  private lettersById(): Map<string, LetterState> {
    return new Map(
      this.letters.map((letter) => [
        letter.deadLetterId,
        { ...letter, replaying: letter.status === 'REPLAYING' },
      ]),
    );
  }

  private states(): Map<string, KeyState> {
    return new Map(KEYS.map((key) => [keyOf(identity(key, 1)), this.state(key)]));
  }

  private state(key: string): KeyState {
    const appliedSeq = this.marks.get(key) ?? 0;
    const mine = this.letters.filter((letter) => letter.key === key);
    const open = mine.filter(
      ({ status, seq, rewind }) =>
        !rewind && seq > appliedSeq && ['DEAD', 'PARKED', 'REPLAYING'].includes(status),
    );
    const versions = new Map<number, VersionState>();
    for (let seq = 1; seq <= 6; seq++) {
      const under = mine.filter((letter) => letter.seq === seq);
      const held = under.filter(({ rewind }) => !rewind);
      versions.set(seq, {
        buried: open.some((letter) => letter.seq === seq),
        holder:
          this.applied.find((one) => one.key === key && one.seq === seq)?.eventId ?? held[0]?.eventId ?? null,
        rewinds: under.filter(({ rewind }) => rewind).map(({ eventId }) => eventId!),
      });
    }
    return { appliedSeq, firstOpen: open.length ? Math.min(...open.map(({ seq }) => seq)) : null, versions };
  }
}

const seqsOf = (ledger: Ledger, key: string): number[] =>
  ledger.applied.filter((one) => one.key === key).map(({ seq }) => seq);

describe('the plan of a batch', () => {
  it('applies the versions of a key in order, without gaps, each once, whatever is delivered', () => {
    fc.assert(
      fc.property(deliveries, (list) => {
        const ledger = new Ledger();
        const { apply, duplicates, bury } = ledger.plan(list.map((one) => delivered(one)));
        expect(apply.length + duplicates.length + bury.length).toBe(list.length);
        for (const key of KEYS) {
          const seqs = seqsOf(ledger, key);
          expect(seqs).toEqual(seqs.map((_, i) => 1 + i));
        }
        // An event is applied or buried, and that once.
        const ids = [...apply.map(({ event }) => event), ...bury.map((one) => one.identity!)].map(
          (one) => one.eventId,
        );
        expect(new Set(ids).size).toBe(ids.length);
        expect(new Set(list.map((one) => identityOf(delivered(one))!.eventId))).toEqual(new Set(ids));
      }),
    );
  });

  it('comes to the same in one batch as in many', () => {
    fc.assert(
      fc.property(deliveries, fc.nat(60), (list, cut) => {
        const records = list.map((one) => delivered(one));
        const whole = new Ledger().plan(records);
        const ledger = new Ledger();
        const first = ledger.plan(records.slice(0, cut));
        const second = ledger.plan(records.slice(cut));
        expect([...first.apply, ...second.apply]).toEqual(whole.apply);
        const words = ({ code, status, identity: of }: BadRecord & { status: string }): unknown[] => [
          code,
          status,
          of!.eventId,
        ];
        expect([...first.bury, ...second.bury].map(words)).toEqual(whole.bury.map(words));
      }),
    );
  });

  it('applies each event at most once and in order, however replays are asked for, lost, repeated and mixed', () => {
    const act = fc.oneof(
      fc.record({ do: fc.constant('deliver' as const), delivery }),
      fc.record({
        do: fc.constantFrom('ask' as const, 'publish' as const),
        pick: fc.nat(30),
        bad: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 9 })),
        (acts, sizes) => {
          const ledger = new Ledger();
          const pending: DecodedRecord[] = [];
          const flush = (): void => void (pending.length > 0 && ledger.plan(pending.splice(0)));
          acts.forEach((one, i) => {
            if (one.do === 'deliver') pending.push(delivered(one.delivery));
            const letter =
              one.do === 'deliver' ? undefined : ledger.letters[one.pick % ledger.letters.length];
            if (one.do === 'ask' && letter && ['DEAD', 'PARKED'].includes(letter.status)) {
              letter.status = 'REPLAYING';
              letter.replay += 1;
            }
            if (one.do === 'publish' && letter && letter.replay > 0) {
              const { key, seq, deadLetterId, replay } = letter;
              const copy = letter.eventId!.endsWith('x') ? 'x' : '';
              pending.push(delivered({ key, seq, copy, bad: one.bad }, { deadLetterId, replay }));
            }
            if (pending.length >= (sizes[i % sizes.length] ?? 3)) flush();
          });
          flush();
          for (const key of KEYS) {
            const seqs = seqsOf(ledger, key);
            expect(seqs).toEqual(seqs.map((_, i) => 1 + i));
          }
          const ids = ledger.applied.map(({ eventId }) => eventId);
          expect(new Set(ids).size).toBe(ids.length);
          for (const { status, eventId } of ledger.letters)
            if (status === 'RESOLVED') expect(ids).toContain(eventId);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes a replay only from the latest request, and only of the event that the letter holds', () => {
    const letter = { tenantId: 't', deadLetterId: 'l', eventId: 'a1', replaying: true, replay: 2 };
    const states = new Map<string, KeyState>([
      [
        't/a',
        {
          appliedSeq: 0,
          firstOpen: 1,
          versions: new Map([[1, { buried: true, holder: 'a1', rewinds: [] }]]),
        },
      ],
    ]);
    const plan = (mark: ReplayMark, of: Partial<LetterState> = {}, copy = ''): BatchPlan =>
      planBatch(
        [delivered({ key: 'a', seq: 1, copy }, mark)],
        states,
        new Map([['l', { ...letter, ...of }]]),
      );
    expect(plan({ deadLetterId: 'l', replay: 2 }).replays).toMatchObject([
      { outcome: 'RESOLVED', replay: 2 },
    ]);
    expect(plan({ deadLetterId: 'l', replay: 1 }).duplicates).toHaveLength(1);
    expect(plan({ deadLetterId: 'l', replay: 2 }, { replaying: false }).duplicates).toHaveLength(1);
    expect(plan({ deadLetterId: 'l', replay: 2 }, {}, 'x').bury).toMatchObject([{ code: 'KEY_REWIND' }]);
    expect(plan({ deadLetterId: 'm', replay: 2 }).duplicates).toHaveLength(1);
  });

  it('keeps another event under a version that is taken for the operators, and lets it touch no key', () => {
    const ledger = new Ledger();
    const { bury } = ledger.plan([1, 2].map((seq) => delivered({ key: 'a', seq })));
    expect(bury).toEqual([]);
    const again = ledger.plan([
      delivered({ key: 'a', seq: 1, copy: 'x' }),
      delivered({ key: 'a', seq: 1 }),
      delivered({ key: 'a', seq: 1, copy: 'x' }),
      delivered({ key: 'a', seq: 3 }),
    ]);
    expect(again.bury).toMatchObject([{ code: 'KEY_REWIND', status: 'DEAD', identity: { eventId: 'a1x' } }]);
    expect([again.duplicates.length, again.apply.map(({ event }) => event.keySeq)]).toEqual([2, [3]]);
  });

  it('applies no replay of another event under a version that waits in the dead letters', () => {
    const letter = { tenantId: 't', deadLetterId: 'l', eventId: 'a1x', replaying: true, replay: 1 };
    const replay = (buried: boolean, bad = false): BatchPlan =>
      planBatch(
        [delivered({ key: 'a', seq: 1, copy: 'x', bad }, { deadLetterId: 'l', replay: 1 })],
        new Map([
          [
            't/a',
            {
              appliedSeq: 0,
              firstOpen: 1,
              versions: new Map([[1, { buried, holder: 'a1', rewinds: ['a1x'] }]]),
            },
          ],
        ]),
        new Map([['l', letter]]),
      );
    for (const bad of [false, true]) {
      const { apply, replays } = replay(true, bad);
      expect([apply, replays]).toMatchObject([[], [{ outcome: 'FAILED', code: 'KEY_REWIND' }]]);
    }
    // Who held the version was skipped as a stranger: it is free again.
    expect(replay(false).replays).toMatchObject([{ outcome: 'RESOLVED' }]);
  });

  it('lets nothing of a foreign or unreadable record touch a key', () => {
    const unreadable: DecodedRecord = {
      kind: 'bad',
      record,
      code: 'TENANT_MISMATCH',
      cause: '',
      retryCount: 0,
      identity: null,
      replayOf: null,
    };
    const { apply, bury } = planBatch([unreadable, delivered({ key: 'a', seq: 1 })], new Map());
    expect([apply.length, bury.map(({ status }) => status)]).toEqual([1, ['DEAD']]);
  });
});
