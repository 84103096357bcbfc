import type { Producer } from 'kafkajs';
import { type LogPosition, type LogRecord, LogUnavailableError, RecordRefusedError } from '../event-log.js';
import { recordBytes, requireAcceptable } from '../delivery/record-size.js';
import { createKafka, disconnect, type KafkaSettings, REQUEST_TIMEOUT_MS } from './kafka-client.js';
import { toLogError } from './kafka-errors.js';
import { within } from '../../worker/within.js';
import type { KafkaTopics, TopicLimits } from './kafka-topics.js';

/** Records of one partition that go in one request, with their places in the caller's list. */
type Chunk = { readonly partition: number; readonly places: number[] };

/**
 * Writes with acks from all in-sync replicas. Not "idempotent": kafkajs may give a sequence number away twice after an error, and the
 * consumer tells duplicates apart anyway. When one partition of several fails the whole append throws, though records of the
 * others may be in the log.
 */
export class KafkaAppender {
  private producer: Promise<Producer> | null = null;
  private readonly known = new Map<string, TopicLimits>();

  /** @param patienceMs longest time for one request, kafkajs's own retries included: they use the same connection, half-open or not */
  constructor(
    private readonly settings: KafkaSettings,
    private readonly topics: KafkaTopics,
    private readonly patienceMs: number,
  ) {}

  /** @throws RecordRefusedError, LogUnavailableError */
  async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    if (records.length === 0) return [];
    const limits = await this.acceptingLimits(topic, records);
    const positions = new Array<LogPosition>(records.length);
    let sent = false;
    for (const round of roundsOf(records, limits.maxMessageBytes)) {
      try {
        await this.send(topic, records, round, positions);
      } catch (error) {
        throw this.verdict(topic, error, sent);
      }
      sent = true;
    }
    return positions;
  }

  async close(): Promise<void> {
    const producer = this.producer;
    this.producer = null;
    await producer?.then(disconnect).catch(() => undefined);
  }

  /** The limits, known or asked for; asked for once more before a record is refused by them, since an operator may have raised them. */
  private async acceptingLimits(topic: string, records: readonly LogRecord[]): Promise<TopicLimits> {
    const known = this.known.get(topic);
    if (known) {
      try {
        requireAcceptable(topic, records, known);
        return known;
      } catch {
        this.known.delete(topic);
      }
    }
    const limits = await this.topics.limits(topic);
    this.known.set(topic, limits);
    requireAcceptable(topic, records, limits);
    return limits;
  }

  private async send(
    topic: string,
    records: readonly LogRecord[],
    round: readonly Chunk[],
    positions: LogPosition[],
  ): Promise<void> {
    const producer = await this.connected();
    try {
      const messages = round.flatMap(({ partition, places }) =>
        places.map((place) => {
          const { key, value, headers } = records[place]!;
          return { partition, key, value, headers: { ...headers } };
        }),
      );
      const answers = await within(this.patienceMs, `an append to ${topic}`, () =>
        producer.send({ topic, acks: -1, timeout: REQUEST_TIMEOUT_MS, messages }),
      );
      const bases = new Map(answers.map((answer) => [answer.partition, BigInt(answer.baseOffset ?? '-1')]));
      for (const { partition, places } of round) {
        const base = bases.get(partition);
        if (base === undefined || base < 0n)
          throw new LogUnavailableError(`Kafka gave no offset for ${topic}/${partition}`);
        places.forEach((place, i) => (positions[place] = { partition, offset: base + BigInt(i) }));
      }
    } catch (error) {
      if (!(toLogError(topic, error) instanceof RecordRefusedError)) this.retire(producer);
      throw error;
    }
  }

  private verdict(topic: string, error: unknown, sent: boolean): Error {
    const verdict = toLogError(topic, error);
    if (!(verdict instanceof RecordRefusedError)) return verdict;
    // The limit is lower than what we knew. With a part of the records in the log already this isn't a refusal of all of them:
    // "unavailable" makes the caller come again, and then the new limit refuses before anything is sent.
    this.known.delete(topic);
    return sent
      ? new LogUnavailableError(`Kafka took only a part of the records of ${topic}: ${verdict.message}`, {
          cause: error,
        })
      : verdict;
  }

  private connected(): Promise<Producer> {
    this.producer ??= this.connect().catch((error: unknown) => {
      this.producer = null;
      throw error;
    });
    return this.producer;
  }

  private async connect(): Promise<Producer> {
    const producer = createKafka(this.settings).producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    await producer.connect();
    return producer;
  }

  /** After kafkajs has run out of retries its connections aren't to be trusted; the next append makes a producer anew. */
  private retire(producer: Producer): void {
    void this.producer?.then((current) => {
      if (current === producer) this.producer = null;
    });
    void disconnect(producer);
  }
}

/**
 * Kafka counts `max.message.bytes` over all records of a partition in one request, so a long list of small records has to go in
 * several: each round takes of every partition the next run that fits.
 */
function roundsOf(records: readonly LogRecord[], maxBytes: number): Chunk[][] {
  const rounds: Chunk[][] = [];
  const tails = new Map<number, { round: number; bytes: number; places: number[] }>();
  records.forEach((record, place) => {
    const bytes = recordBytes(record);
    const tail = tails.get(record.partition);
    if (tail && tail.bytes + bytes <= maxBytes) {
      tail.bytes += bytes;
      tail.places.push(place);
      return;
    }
    const next = { round: tail ? tail.round + 1 : 0, bytes, places: [place] };
    tails.set(record.partition, next);
    (rounds[next.round] ??= []).push({ partition: record.partition, places: next.places });
  });
  return rounds;
}
