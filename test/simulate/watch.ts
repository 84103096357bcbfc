import type { LogRecord } from '../../src/platform/event-log/event-log.js';
import { REPLAY_HEADERS } from '../../src/modules/consumer/domain/incoming.js';
import { type Block, type Database, type HouseEvent, type Letter, refOf } from './database.js';
import { type Entry, type Log, type LogWatch, toldBy, type Told } from './log.js';
import type { Proc, World } from './world.js';

/** How often the relay tries a refused record, at most. */
export const RETRY_SCHEDULE_MS = [150, 300];
/** Quick retries of the consumer. */
export const MAX_RETRIES = 3;
/** How often the auditor resumes one event by itself. */
export const AUDITOR_TRIES = 3;

/**
 * Knows what really happened, and compares: along the way at every commit, acknowledgement and append, and once more at the
 * end. Sees everything at once, as nobody in the house can.
 */
export class Watch implements LogWatch {
  /** Everything that was committed, by `refOf`. */
  readonly truth = new Map<string, HouseEvent>();
  /** Tries of a single event that failed by its own fault. */
  readonly failures = new Map<string, number>();
  /** Until then somebody who was stopped, or a request that is slow, may still bring what nobody waits for. */
  belatedUntil = 0;
  /** Since then the log takes everything, and the corrected service runs. */
  cured = false;
  /** Slots are not leased at all: only a planted bug works so. */
  withoutLeases = false;
  private readonly appendedRefs = new Set<string>();
  private readonly lastAppended = new Map<string, number>();
  private readonly partitionOfKey = new Map<string, number>();
  private readonly refusals = new Map<string, number>();
  private readonly keysWithLetters = new Set<string>();
  /** Versions that an operator moved a key past, by key. */
  private readonly skipped = new Map<string, Set<number>>();
  /** Whether operators still have something to do. */
  readonly undecided: (() => boolean)[] = [];
  /** Writers that are not done. */
  writing = 0;
  db!: Database;
  log!: Log;

  constructor(private readonly world: World) {}

  committed(event: HouseEvent): void {
    this.truth.set(refOf(event.key, event.seq), event);
  }

  sending(proc: Proc, records: readonly LogRecord[]): void {
    if (this.withoutLeases) return;
    for (const slot of new Set(records.map(({ key }) => parseInt(key.slice(-1), 16)))) {
      const { owner, leaseUntil } = this.db.slots[slot]!;
      if (owner !== proc.name || leaseUntil <= this.world.now)
        this.world.broken(
          'FENCE',
          `${proc.name} sends for slot ${slot}, which ${owner} has until ${leaseUntil}`,
        );
    }
    this.world.note(
      () => `${proc.name} sends ${records.map((one) => refOf(toldBy(one)!.key, toldBy(one)!.seq)).join(' ')}`,
    );
  }

  appended({ key, seq, eventId }: Told, partition: number): void {
    const ref = refOf(key, seq);
    this.world.note(() => `the log takes ${ref} into ${partition}`);
    const last = this.lastAppended.get(key) ?? 0;
    if (seq > last + 1) this.world.broken('INVERTED', `the log got ${ref} after version ${last}`);
    if (seq <= last) this.world.bit('duplicates in the log');
    this.lastAppended.set(key, Math.max(last, seq));
    this.appendedRefs.add(ref);
    if ((this.partitionOfKey.get(key) ?? partition) !== partition)
      this.world.broken('INVERTED', `${key} is in two partitions`);
    this.partitionOfKey.set(key, partition);
    if (this.truth.get(ref)?.eventId !== eventId)
      this.world.broken('IDENTITY', `${ref} was published as ${eventId}`);
  }

  refuses({ key, seq }: Told, alone: boolean): boolean {
    const ref = refOf(key, seq);
    if (this.cured || this.truth.get(ref)?.trouble !== 'refused') return false;
    if (alone) this.refusals.set(ref, (this.refusals.get(ref) ?? 0) + 1);
    return true;
  }

  /** An acknowledgement takes a slot for its relay's. */
  accepts(relay: string, slot: number, epoch: number): void {
    const row = this.db.slots[slot]!;
    if (!this.withoutLeases && (row.owner !== relay || row.epoch !== epoch))
      this.world.broken('FENCE', `${relay} acknowledges in slot ${slot}, which ${row.owner} holds now`);
  }

  /** A row left the queue: the log must have had it. */
  acknowledged(event: HouseEvent): void {
    const ref = refOf(event.key, event.seq);
    this.world.note(() => `${ref} is acknowledged`);
    if (!this.appendedRefs.has(ref))
      this.world.broken('LOST', `${ref} left the queue, and the log never had it`);
  }

  blocked(event: HouseEvent, before: Block | undefined, after: Block): void {
    const ref = refOf(event.key, event.seq);
    this.world.note(() => `${ref} is ${after.status} after ${after.attempts} tries`);
    this.world.bit('tries refused');
    const refusals = this.refusals.get(ref) ?? 0;
    if (refusals === 0) this.world.broken('BURNED', `${ref} burned a try that the log never refused`);
    else if (after.attempts > refusals || after.attempts !== (before?.attempts ?? 0) + 1)
      this.world.broken(
        'ATTEMPTS',
        `${ref}: ${after.attempts} tries counted after ${before?.attempts ?? 0}, ${refusals} made`,
      );
    if ((after.status === 'DLQ') !== after.attempts > RETRY_SCHEDULE_MS.length)
      this.world.broken('ATTEMPTS', `${ref} is ${after.status} after ${after.attempts} tries`);
  }

  /** Before a version is added to the read model. */
  applying(key: string, seq: number): void {
    const applied = this.db.effects.get(key) ?? [];
    const skipped = this.skipped.get(key);
    let last = applied.at(-1) ?? 0;
    while (skipped?.has(last + 1)) last += 1;
    const ref = refOf(key, seq);
    this.world.note(() => `${ref} is applied`);
    if (applied.includes(seq)) this.world.broken('TWICE', `${ref} was applied twice`);
    else if (skipped?.has(seq)) this.world.broken('TWICE', `${ref} was applied though it was skipped`);
    else if (seq < last) this.world.broken('INVERTED', `${ref} was applied after version ${last}`);
    else if (seq > last + 1)
      this.world.broken('GAP', `${ref} was applied over the gap after version ${last}`);
  }

  /** After a commit: the read model, the inbox and the mark of a key tell one story. */
  agrees(key: string): void {
    const effects = this.db.effects.get(key) ?? [];
    const mark = this.db.marks.get(key) ?? 0;
    const skipped = this.skipped.get(key)?.size ?? 0;
    if (effects.length + skipped !== mark)
      this.world.broken(
        'TORN',
        `${key}: mark ${mark}, but ${effects.length} versions in the read model and ${skipped} skipped`,
      );
    for (const seq of effects)
      if (!this.db.inbox.has(refOf(key, seq)))
        this.world.broken('TORN', `${refOf(key, seq)} is in the read model and not in the inbox`);
  }

  inboxed(key: string, seq: number, eventId: string): void {
    const ref = refOf(key, seq);
    if (this.truth.get(ref)?.eventId !== eventId)
      this.world.broken('IDENTITY', `${ref} was applied as ${eventId}`);
  }

  /** After a commit that moved an offset: everything that it moved past has found its place. */
  moved(partition: number, from: number, to: number, fenced: boolean): void {
    this.world.note(() => `partition ${partition} is applied from ${from} to ${to}`);
    if (fenced) this.world.broken('FENCE', `partition ${partition} was moved by a consumer that had lost it`);
    if (to < from && (this.log.cutTo.get(partition) ?? from) >= from)
      this.world.broken('FENCE', `the offset of partition ${partition} went back from ${from} to ${to}`);
    for (let offset = from; offset < to; offset++) {
      const entry = this.log.partitions[partition]!.entries[offset];
      if (!entry || this.log.reused.has(`${partition}/${offset}`)) continue;
      if (!this.settledRecord(entry))
        this.world.broken(
          'TORN',
          `offset ${partition}/${offset} (${entry.told ? refOf(entry.told.key, entry.told.seq) : 'a stranger’s'}) was passed without effect or dead letter`,
        );
    }
  }

  buried(letter: Letter): void {
    const { key, seq, status, code, retryCount, eventId } = letter;
    this.world.note(
      () =>
        `${key === null ? `${letter.partition}/${letter.offset}` : refOf(key, seq!)} is ${status}: ${code}`,
    );
    const entry = this.log.partitions[letter.partition]!.entries[letter.offset];
    const { value } = entry?.record ?? {};
    if (
      entry &&
      !this.log.reused.has(`${letter.partition}/${letter.offset}`) &&
      (value?.toString() ?? null) !== (letter.value?.toString() ?? null)
    )
      this.world.broken(
        'DEAD_LETTER',
        `the dead letter of ${letter.partition}/${letter.offset} is not its record`,
      );
    this.world.bit(`dead letters, ${status}`);
    if (key === null) return;
    const ref = refOf(key, seq!);
    if (code === 'KEY_REWIND') {
      this.world.bit('impostors told apart');
      if (this.truth.get(ref)?.eventId === eventId)
        this.world.broken('IDENTITY', `${ref} itself was taken for another event`);
      return;
    }
    const known = this.keysWithLetters.has(key) || this.log.lostKeys.has(key);
    if (code === 'KEY_GAP' && !known)
      this.world.broken('GAP', `${ref} met a gap, and nothing of its key was lost`);
    this.keysWithLetters.add(key);
    if (status === 'DEAD') this.checkAttempts(ref, retryCount, code);
  }

  /** After a commit that changed a letter. */
  letterMoved(before: Letter, after: Letter): void {
    const { key, seq, status, code } = after;
    if (before.status === status) return;
    const name = key === null ? `${after.partition}/${after.offset}` : refOf(key, seq!);
    this.world.note(() => `the letter of ${name} is ${status} (${code}), replay ${after.replay}`);
    this.world.bit(`letters ${before.status} to ${status}`);
    if (key === null) return;
    if (status === 'RESOLVED' && (this.db.marks.get(key) ?? 0) < seq!)
      this.world.broken('TORN', `the letter of ${name} is resolved, and its event not applied`);
    const own = this.truth.get(name)?.eventId === after.eventId;
    if (status === 'SKIPPED' && own && (this.db.marks.get(key) ?? 0) < seq!)
      this.world.broken('TORN', `${name} is skipped, and its key has not moved past it`);
    if (status !== 'DEAD' || code === 'KEY_REWIND' || code === 'RECORD_REFUSED' || isUntried(code)) return;
    const tried = !isUntried(before.code);
    const retries = after.retryCount - before.retryCount - Number(tried);
    // Came too early: it was not tried.
    if (retries < 0 && code === before.code) return;
    this.checkAttempts(name, retries, code);
  }

  /** Before a key's mark moves by hand: over the letters that were skipped, and nothing else. */
  skipping(key: string, to: number): void {
    const skipped = this.skipped.get(key) ?? new Set<number>();
    this.skipped.set(key, skipped);
    for (let seq = (this.db.marks.get(key) ?? 0) + 1; seq <= to; seq++) {
      const ref = refOf(key, seq);
      const { eventId } = this.truth.get(ref) ?? {};
      this.world.note(() => `${ref} is skipped`);
      const letters = [...this.db.letters.values()].filter((one) => one.key === key && one.seq === seq);
      if (!letters.some((one) => one.status === 'SKIPPED' && one.eventId === eventId))
        this.world.broken('GAP', `the mark of ${key} moved over ${ref}, which nobody skipped`);
      skipped.add(seq);
    }
  }

  /** Whether the event is known to the consumer, so that another one under its version can be told from it. */
  isTaken({ key, seq, eventId }: Told): boolean {
    if ((this.db.marks.get(key) ?? 0) >= seq) return true;
    return this.db.lettersOf(key).some((one) => one.seq === seq && one.eventId === eventId);
  }

  /** The auditor, or an operator, sends an event again. */
  resumed(event: HouseEvent, tries: number): void {
    const ref = refOf(event.key, event.seq);
    this.world.bit('events resumed');
    this.world.note(() => `${ref} is resumed, for the ${tries}. time`);
    if ((this.db.marks.get(event.key) ?? 0) >= event.seq)
      this.world.broken('TWICE', `${ref} was resumed though it is applied`);
    if (tries > AUDITOR_TRIES) this.world.broken('UNBOUNDED', `${ref} was resumed ${tries} times`);
  }

  /** Before a month of the event table goes. */
  dropping(event: HouseEvent): void {
    if (!this.applied(event))
      this.world.broken('DROPPED', `${refOf(event.key, event.seq)} is dropped and not applied`);
  }

  applied({ key, seq }: HouseEvent): boolean {
    return (this.db.marks.get(key) ?? 0) >= seq;
  }

  /** Whether nothing is under way any more. */
  get quiet(): boolean {
    if (this.writing > 0 || this.world.belated > 0 || this.world.now < this.belatedUntil) return false;
    if (this.db.queue.size > 0 || this.db.open > 0) return false;
    if ([...this.db.letters.values()].some(({ status }) => status === 'REPLAYING')) return false;
    if (this.undecided.some((undecided) => undecided())) return false;
    for (const [partition, { next }] of this.db.offsets)
      if (this.log.holdsFrom(partition, next)) return false;
    for (const event of this.truth.values()) if (!this.atItsPlace(event)) return false;
    return true;
  }

  /** What is still not at its place, in words. */
  verdict(): void {
    for (const event of this.truth.values()) {
      if (this.atItsPlace(event)) continue;
      const ref = refOf(event.key, event.seq);
      if (
        this.log.partitions.some(({ entries }, partition) =>
          entries
            .slice(this.db.offsets.get(partition)?.next ?? 0)
            .some((entry) => entry?.told && refOf(entry.told.key, entry.told.seq) === ref),
        )
      )
        this.world.broken('STUCK', `${ref} waits in the log for ever`);
      else if (this.db.isQueued(event)) this.world.broken('STUCK', `${ref} waits in the queue for ever`);
      else if (this.db.lettersOf(event.key).some(({ seq }) => seq === event.seq))
        this.world.broken('STUCK', `${ref} is parked behind nothing`);
      else this.world.broken('LOST', `${ref} is nowhere`);
    }
    for (const [partition, { next }] of this.db.offsets)
      if (this.log.holdsFrom(partition, next))
        this.world.broken('STUCK', `partition ${partition} stands at ${next} of ${this.log.end(partition)}`);
    for (const { key, seq, status } of this.db.letters.values())
      if (status === 'REPLAYING')
        this.world.broken(
          'STUCK',
          `the letter of ${key === null ? 'a stranger’s' : refOf(key, seq!)} is on its way for ever`,
        );
    this.world.broken('STUCK', `${this.db.queue.size} rows in the queue, ${this.db.open} open transactions`);
  }

  /** Applied; or in the dead letters, because it is at fault, or stands behind one that is. */
  private atItsPlace(event: HouseEvent): boolean {
    if (this.applied(event)) return true;
    const letters = this.db.lettersOf(event.key);
    if (!letters.some(({ seq }) => seq === event.seq)) return false;
    const first = (this.db.marks.get(event.key) ?? 0) + 1;
    const head = this.truth.get(refOf(event.key, first));
    return letters.some(({ seq, status }) => seq === first && status === 'DEAD') && isIncurable(head);
  }

  private settledRecord({ told, strangersId, record }: Entry): boolean {
    const letters = [...this.db.letters.values()];
    const replayed = this.db.letters.get(record.headers[REPLAY_HEADERS.deadLetterId] ?? '');
    if (replayed?.eventId === (told?.eventId ?? strangersId ?? null))
      return (
        replayed.status !== 'REPLAYING' || String(replayed.replay) !== record.headers[REPLAY_HEADERS.replay]
      );
    if (strangersId !== undefined) return letters.some(({ eventId }) => eventId === strangersId);
    if (told === null)
      return letters.some(
        (one) => one.partition === record.partition && one.offset === Number(record.offset),
      );
    if ((this.db.marks.get(told.key) ?? 0) >= told.seq) return true;
    return letters.some(({ key, seq }) => key === told.key && seq === told.seq);
  }

  private checkAttempts(ref: string, retryCount: number, code: string): void {
    const trouble = this.truth.get(ref)?.trouble;
    const failures = this.failures.get(ref) ?? 0;
    if (SUSPECT.test(code)) {
      this.world.bit('suspects convicted');
      if (retryCount < MAX_RETRIES)
        this.world.broken('ATTEMPTS', `${ref} was convicted of ${code} after ${retryCount} retries`);
      if (failures + this.db.weather <= retryCount)
        this.world.broken('BURNED', `${ref} is dead by ${code}, which it met less often`);
      return;
    }
    if (failures === 0)
      return this.world.broken('BURNED', `${ref} is dead, and never failed by its own fault`);
    const expected = trouble === 'unclear' ? MAX_RETRIES : trouble === 'flaky' ? -1 : 0;
    if (retryCount !== expected || failures < retryCount + 1)
      this.world.broken(
        'ATTEMPTS',
        `${ref} (${trouble}) is dead after ${retryCount} retries; ${failures} tries failed`,
      );
  }
}

/** Codes of letters that only waited so far. */
export const isUntried = (code: string): boolean => code === 'KEY_PARKED' || code === 'KEY_GAP';

/** Codes of errors that say nothing of an event by themselves. */
const SUSPECT = /^SQLSTATE_(40|42|55|58|XX|57014)/;

export const isIncurable = (event: HouseEvent | undefined): boolean =>
  event?.trouble === 'unclear' || event?.trouble === 'permanent';
