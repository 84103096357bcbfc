import {
  LogUnavailableError,
  RecordRefusedError,
  type LogPosition,
  type LogRecord,
  type ReadRecord,
} from '../../src/platform/event-log/event-log.js';
import type { Link, Proc, World } from './world.js';

/** What a record says of its event, as far as anybody looks. */
export interface Told {
  readonly key: string;
  readonly seq: number;
  readonly eventId: string;
}

export interface Entry {
  readonly record: ReadRecord;
  /** Null: a stranger's. */
  readonly told: Told | null;
  /** The id that a stranger gave an event under a version of ours. */
  readonly strangersId?: string;
}

/** What the log tells whoever watches over the promises. */
export interface LogWatch {
  /** A relay begins to send. */
  sending(proc: Proc, records: readonly LogRecord[]): void;
  appended(told: Told, partition: number): void;
  /** Whether the log takes the record; `alone`: nobody else shares its request. */
  refuses(told: Told, alone: boolean): boolean;
}

const KEYS_OF = /"eventId":"([^"]+)","tenantId":"([^"]+)".*"aggregateId":"([^"]+)","keySeq":(\d+)/;

/** Reads an envelope; null: it is none. */
export function toldBy(record: LogRecord): Told | null {
  const found = KEYS_OF.exec(record.value.toString());
  if (!found) return null;
  const [, eventId, tenantId, aggregateId, seq] = found;
  return { key: `${tenantId}/${aggregateId}`, seq: Number(seq), eventId: eventId! };
}

/**
 * A broker: partitions with offsets, appended to at least once. It may take a batch twice, take it and not say so, take it
 * after its sender gave up, refuse a record, and lose what it had acknowledged: one record, or the end of a partition,
 * whose offsets it then gives again.
 */
export class Log {
  readonly partitions: { entries: (Entry | null)[] }[];
  downUntil = 0;
  /** Keys of which it lost something that it had acknowledged. */
  readonly lostKeys = new Set<string>();
  /** Keys of which it takes every record and keeps none. */
  readonly swallows = new Set<string>();
  /** Lowest end that a partition was cut to; its consumers may go back there. */
  readonly cutTo = new Map<number, number>();
  /** Offsets that were given more than once. */
  readonly reused = new Set<string>();
  /** Ids of strangers' events, by which their replays are known. */
  private readonly strangersIds = new Set<string>();
  /** Happens once, after the next append, to a partition that it wrote to. */
  afterAppend: ((partition: number) => void) | null = null;
  readonly link: Link;
  readonly appendLink: Link;
  /** Offsets as a broker keeps them, committed when records were handed out: nobody should read from these. */
  readonly kept = new Map<number, number>();
  /** Woken when records arrive. */
  readonly readers = new Set<Proc>();

  constructor(
    private readonly world: World,
    partitions: number,
    private readonly watch: LogWatch,
  ) {
    this.partitions = Array.from({ length: partitions }, () => ({ entries: [] }));
    const down = (): boolean => world.now < this.downUntil;
    const lost = (): Error => new LogUnavailableError('the broker did not answer');
    this.link = { down, lost, late: false };
    this.appendLink = { down, lost, late: true };
  }

  end(partition: number): number {
    return this.partitions[partition]!.entries.length;
  }

  /** Whether a partition holds records from an offset on. */
  holdsFrom(partition: number, offset: number): boolean {
    return this.partitions[partition]!.entries.slice(offset).some((entry) => entry !== null);
  }

  /** A relay's records. */
  append(proc: Proc, records: readonly LogRecord[]): Promise<LogPosition[]> {
    this.watch.sending(proc, records);
    return this.take(proc, records, (told) => this.watch.refuses(told!, records.length === 1));
  }

  /** Replays of dead letters; some it finds too large, with what they carry more. */
  appendReplays(proc: Proc, records: readonly LogRecord[]): Promise<LogPosition[]> {
    return this.take(proc, records, () => !this.world.calm && this.world.random.chance(0.15));
  }

  private take(
    proc: Proc,
    records: readonly LogRecord[],
    refuses: (told: Told | null) => boolean,
  ): Promise<LogPosition[]> {
    return this.world.request<LogPosition[]>(proc, this.appendLink, (reply) => {
      const told = records.map(toldBy);
      const refused = new Set(records.filter((_, i) => refuses(told[i]!)).map(({ partition }) => partition));
      const { random, calm } = this.world;
      // Partitions are written one by one: with a refusal, or a broker that fails midway, some of them are.
      const partly = !calm && random.chance(0.02);
      const skipped = new Set<number>();
      const positions = records.map((record, i): LogPosition => {
        const { partition } = record;
        if (partly && !skipped.has(partition) && random.chance(0.3)) skipped.add(partition);
        if (refused.has(partition) || skipped.has(partition)) return { partition, offset: -1n };
        return { partition, offset: BigInt(this.write(record, told[i]!)) };
      });
      // Its own retry, after an answer that it did not get.
      if (!calm && random.chance(0.05))
        records.forEach((record, i) => {
          if (positions[i]!.offset >= 0n) this.write(record, told[i]!);
        });
      const happens = calm ? null : this.afterAppend;
      this.afterAppend = null;
      happens?.(records[0]!.partition);
      for (const reader of this.readers) reader.wake();
      if (refused.size > 0) reply({ error: new RecordRefusedError('the record is too large') });
      else if (skipped.size > 0) reply({ error: this.link.lost() });
      else reply({ value: positions });
    });
  }

  /** At most `limit` records from an offset on, and the partition's end. */
  read(
    proc: Proc,
    partition: number,
    from: number,
    limit: number,
  ): Promise<{ readonly records: ReadRecord[]; readonly end: number }> {
    return this.world.request(proc, this.link, (reply) => {
      const { entries } = this.partitions[partition]!;
      const records: ReadRecord[] = [];
      for (let at = Math.max(from, 0); at < entries.length && records.length < limit; at++) {
        const entry = entries[at];
        if (entry) records.push(entry.record);
      }
      reply({ value: { records, end: entries.length } });
    });
  }

  /** What no relay of ours writes. */
  foreign(partition: number, value: string | null, headers: Record<string, string>): void {
    const { entries } = this.partitions[partition]!;
    const offset = BigInt(entries.length);
    const bytes = value === null ? null : Buffer.from(value);
    entries.push({
      told: null,
      record: { partition, offset, key: 'stranger', value: bytes, headers, timestamp: this.world.now },
    });
  }

  /** Another event, under the version of one that is there. */
  impostor(entry: Entry, eventId: string): void {
    const { record, told } = entry;
    const { entries } = this.partitions[record.partition]!;
    const value = Buffer.from(record.value!.toString().replace(told!.eventId, eventId));
    this.strangersIds.add(eventId);
    entries.push({
      told: null,
      strangersId: eventId,
      record: { ...record, offset: BigInt(entries.length), value },
    });
  }

  /** Writes records that are there already once more. */
  replay(partition: number, from: number, to: number): void {
    const { entries } = this.partitions[partition]!;
    for (const entry of entries.slice(from, to)) {
      if (!entry) continue;
      const offset = entries.length;
      entries.push({ ...entry, record: { ...entry.record, offset: BigInt(offset) } });
      if (entry.told) this.watch.appended(entry.told, partition);
    }
  }

  /** Loses the end of a partition: its offsets are given again. */
  cut(partition: number, records: number): void {
    const { entries } = this.partitions[partition]!;
    const end = Math.max(0, entries.length - records);
    for (const [i, entry] of entries.splice(end).entries()) {
      this.reused.add(`${partition}/${end + i}`);
      if (entry?.told) this.lostKeys.add(entry.told.key);
    }
    this.cutTo.set(partition, Math.min(end, this.cutTo.get(partition) ?? end));
  }

  /** Loses one record. */
  lose(partition: number, offset: number): void {
    const { entries } = this.partitions[partition]!;
    const told = entries[offset]?.told;
    if (told) this.lostKeys.add(told.key);
    if (offset < entries.length) entries[offset] = null;
  }

  private write(record: LogRecord, read: Told | null): number {
    const { entries } = this.partitions[record.partition]!;
    const offset = entries.length;
    const strangers = read === null || this.strangersIds.has(read.eventId);
    const told = strangers ? null : read;
    if (told) this.watch.appended(told, record.partition);
    if (told && this.swallows.has(told.key)) {
      this.lostKeys.add(told.key);
      entries.push(null);
    } else {
      // A consumer may be past this offset: what lies there now, nobody reads.
      if (told && this.reused.has(`${record.partition}/${offset}`)) this.lostKeys.add(told.key);
      entries.push({
        told,
        ...(read && strangers && { strangersId: read.eventId }),
        record: { ...record, offset: BigInt(offset), timestamp: this.world.now },
      });
    }
    return offset;
  }
}

/** Who holds which partition: members that went silent lose theirs, and learn of it late. */
export class Group {
  private readonly members = new Map<Proc, number>();
  generation = 0;

  constructor(
    private readonly world: World,
    private readonly partitions: number,
    private readonly sessionMs: number,
  ) {}

  /** A heartbeat: joins, if it is new or was given up. Answers what the member holds now. */
  beat(proc: Proc): number[] {
    const { now } = this.world;
    let changed = !this.members.has(proc);
    this.members.set(proc, now);
    for (const [member, seen] of this.members)
      if (seen < now - this.sessionMs) changed = this.members.delete(member);
    if (changed) this.generation += 1;
    const list = [...this.members.keys()];
    const mine = list.indexOf(proc);
    // Turned with each generation, so that partitions move.
    return Array.from({ length: this.partitions }, (_, partition) => partition).filter(
      (partition) => (partition + this.generation) % list.length === mine,
    );
  }

  leave(proc: Proc): void {
    if (this.members.delete(proc)) this.generation += 1;
  }
}
