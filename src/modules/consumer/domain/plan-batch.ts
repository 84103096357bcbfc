import type { BadRecord, DecodedRecord, GoodRecord } from './decode.js';
import type { Identity } from './incoming.js';

/** What is known of a key before a batch. */
export interface KeyState {
  /** The last version that was applied or skipped; 0 for a new key. */
  readonly appliedSeq: number;
  /** The first version above it that is in the dead letters, unresolved; null: the key is not parked. */
  readonly firstOpen: number | null;
  /** Of the versions of the batch: who has been seen under them. */
  readonly versions: ReadonlyMap<number, VersionState>;
}

/** Who has been seen under a version of a key. */
export interface VersionState {
  /** An unresolved dead letter holds it. */
  readonly buried: boolean;
  /** The event that was applied, or dead-lettered, as this version; null: not known, or no longer. */
  readonly holder: string | null;
  /** Other events that came under it, and were dead-lettered for that. */
  readonly rewinds: readonly string[];
}

/** A dead letter that a record of the batch claims to replay. */
export interface LetterState {
  readonly tenantId: string;
  readonly deadLetterId: string;
  /** Null: its record could not be read. */
  readonly eventId: string | null;
  readonly replaying: boolean;
  /** How often it was replayed: only the latest replay counts. */
  readonly replay: number;
}

/** A record for the dead letters. DEAD: itself at fault. PARKED: it only stands behind one that is, or behind a gap. */
export interface BuriedRecord extends BadRecord {
  readonly status: 'DEAD' | 'PARKED';
}

/**
 * The end of a replay. RESOLVED: applied. FAILED: dead again, with the tries of this replay. EARLY: not its turn, because
 * what stood before it failed again; it waits as it did before.
 */
export type ReplayEnd = Pick<LetterState, 'tenantId' | 'deadLetterId' | 'replay'> &
  (
    | { readonly outcome: 'RESOLVED' | 'EARLY' }
    | {
        readonly outcome: 'FAILED';
        readonly code: string;
        readonly cause: string;
        readonly retryCount: number;
      }
  );

/** What becomes of each record of a batch. */
export interface BatchPlan {
  readonly apply: readonly GoodRecord[];
  readonly duplicates: readonly DecodedRecord[];
  readonly bury: readonly BuriedRecord[];
  readonly replays: readonly ReplayEnd[];
}

/** The key of an event, as states are found by. */
export const keyOf = ({ tenantId, aggregateId }: Pick<Identity, 'tenantId' | 'aggregateId'>): string =>
  `${tenantId}/${aggregateId}`;

/** What names the record's event; null: nobody knows. */
export const identityOf = (decoded: DecodedRecord): Identity | null =>
  decoded.kind === 'event' ? decoded.event : decoded.identity;

/**
 * Decides, in the order of the log: what was applied or buried before is a duplicate; the next version of its key is applied;
 * a version that skips one is parked, be it that the one before is in the dead letters or that it never came. Should that one
 * come after all, it is applied. Another event under a version that is taken is dead, and touches no key. The latest replay
 * of a dead letter is applied when it is its turn, any other is a duplicate. Other keys go on.
 */
export function planBatch(
  records: readonly DecodedRecord[],
  states: ReadonlyMap<string, KeyState>,
  letters: ReadonlyMap<string, LetterState> = new Map(),
): BatchPlan {
  const planner = new Planner(states, letters);
  for (const decoded of records) planner.take(decoded);
  return planner.plan;
}

/** A key in the midst of a batch. */
interface Key {
  applied: number;
  firstOpen: number | null;
  readonly buried: Set<number>;
  readonly holders: Map<number, string>;
  readonly rewinds: Set<string>;
}

class Planner {
  readonly plan = {
    apply: [] as GoodRecord[],
    duplicates: [] as DecodedRecord[],
    bury: [] as BuriedRecord[],
    replays: [] as ReplayEnd[],
  };
  private readonly keys = new Map<string, Key>();
  private readonly ended = new Set<string>();

  constructor(
    private readonly states: ReadonlyMap<string, KeyState>,
    private readonly letters: ReadonlyMap<string, LetterState>,
  ) {}

  take(decoded: DecodedRecord): void {
    const letter = this.letterOf(decoded);
    if (!letter) return this.takeFirst(decoded);
    const current = letter.replaying && letter.replay === decoded.replayOf!.replay;
    if (!current || this.ended.has(letter.deadLetterId)) this.plan.duplicates.push(decoded);
    else this.takeReplay(decoded, letter);
  }

  /** The letter that the record replays, if it is one of this event's. */
  private letterOf(decoded: DecodedRecord): LetterState | undefined {
    const letter = decoded.replayOf ? this.letters.get(decoded.replayOf.deadLetterId) : undefined;
    const same = letter?.eventId === null || letter?.eventId === identityOf(decoded)?.eventId;
    return same ? letter : undefined;
  }

  private takeFirst(decoded: DecodedRecord): void {
    const identity = identityOf(decoded);
    if (identity === null) return void this.plan.bury.push({ ...(decoded as BadRecord), status: 'DEAD' });
    const key = this.keyOf(identity);
    const { keySeq } = identity;
    if (keySeq <= key.applied || key.buried.has(keySeq)) {
      if (!isRewind(key, identity) || key.rewinds.has(identity.eventId))
        return void this.plan.duplicates.push(decoded);
      this.plan.bury.push({ ...dead(decoded, 'KEY_REWIND', rewound(keySeq)), status: 'DEAD' });
      key.rewinds.add(identity.eventId);
      return;
    }
    key.holders.set(keySeq, identity.eventId);
    if (decoded.kind === 'event' && keySeq === key.applied + 1) {
      this.plan.apply.push(decoded);
      key.applied = keySeq;
    } else {
      this.plan.bury.push(decoded.kind === 'bad' ? { ...decoded, status: 'DEAD' } : parked(decoded, key));
      key.buried.add(keySeq);
    }
  }

  private takeReplay(decoded: DecodedRecord, { tenantId, deadLetterId, replay }: LetterState): void {
    const letter = { tenantId, deadLetterId, replay };
    const end = (outcome: 'RESOLVED' | 'EARLY'): void => void this.plan.replays.push({ ...letter, outcome });
    const fail = (code: string, cause: string, retryCount = 0): void =>
      void this.plan.replays.push({ ...letter, outcome: 'FAILED', code, cause, retryCount });
    this.ended.add(deadLetterId);
    const identity = identityOf(decoded);
    const key = identity && this.keyOf(identity);
    const settled = key !== null && identity!.keySeq <= key.applied;
    // Settled by another event, or waiting in the dead letters for another, whose version it stays.
    if (key && (settled || key.buried.has(identity.keySeq)) && isRewind(key, identity))
      return fail('KEY_REWIND', rewound(identity.keySeq));
    if (settled) return end('RESOLVED');
    if (decoded.kind === 'bad') return fail(decoded.code, decoded.cause, decoded.retryCount);
    if (identity!.keySeq > key!.applied + 1) return end('EARLY');
    this.plan.apply.push(decoded);
    key!.applied = identity!.keySeq;
    key!.holders.set(identity!.keySeq, identity!.eventId);
    end('RESOLVED');
  }

  private keyOf(identity: Identity): Key {
    const name = keyOf(identity);
    let key = this.keys.get(name);
    if (!key) {
      const known = this.states.get(name);
      const versions = [...(known?.versions ?? [])];
      key = {
        applied: known?.appliedSeq ?? 0,
        firstOpen: known?.firstOpen ?? null,
        buried: new Set(versions.filter(([, { buried }]) => buried).map(([seq]) => seq)),
        holders: new Map(versions.flatMap(([seq, { holder }]) => (holder === null ? [] : [[seq, holder]]))),
        rewinds: new Set(versions.flatMap(([, { rewinds }]) => rewinds)),
      };
      this.keys.set(name, key);
    }
    return key;
  }
}

/** Another event has the version. Of a version whose event nobody knows any more, a duplicate is the likelier story. */
const isRewind = ({ holders }: Key, { keySeq, eventId }: Identity): boolean =>
  (holders.get(keySeq) ?? eventId) !== eventId;

const rewound = (keySeq: number): string => `version ${keySeq} of its key is another event's`;

const dead = (decoded: DecodedRecord, code: string, cause: string): BadRecord => ({
  kind: 'bad',
  record: decoded.record,
  identity: identityOf(decoded),
  replayOf: decoded.replayOf,
  retryCount: 0,
  code,
  cause,
});

function parked(good: GoodRecord, { applied, firstOpen, buried }: Key): BuriedRecord {
  const before = [...(firstOpen === null ? [] : [firstOpen]), ...buried].filter(
    (seq) => seq > applied && seq < good.event.keySeq,
  );
  const bad =
    before.length > 0
      ? dead(
          good,
          'KEY_PARKED',
          `waits behind version ${Math.min(...before)} of its key, which is in the dead letters`,
        )
      : dead(good, 'KEY_GAP', `version ${applied + 1} of its key is missing`);
  return { ...bad, status: 'PARKED' };
}
