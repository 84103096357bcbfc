import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MemoryEventLog } from '../../../platform/event-log/memory/memory-event-log.js';
import type { OutboxEvent } from '../domain/envelope.js';
import { Sender } from './sender.js';

const event = (
  slot: number,
  key: string,
  keySeq: number,
  fields: Partial<OutboxEvent> = {},
): OutboxEvent => ({
  slot,
  priority: 0,
  queueId: '1',
  tenantId: 'tenant',
  aggregateId: key,
  keySeq,
  occurredAt: '2027-03-01T10:00:00.000001Z',
  eventId: `${key}-${keySeq}`,
  aggregateType: 'guest',
  type: 'guest.changed',
  version: 1,
  data: '{}',
  correlationId: 'correlation',
  traceparent: 'trace',
  attempts: 0,
  ...fields,
});
/** Larger than the topic takes: the real refusal. */
const TOO_LARGE = JSON.stringify({ text: 'x'.repeat(3_000) });

describe('the sender', () => {
  let log: MemoryEventLog;
  let sender: Sender;
  const inLog = (): string[] =>
    log.store.records('t').map(({ value }) => JSON.parse(value!.toString()).eventId as string);

  beforeEach(async () => {
    log = new MemoryEventLog();
    await log.provision([{ name: 't', partitions: 4, retentionMs: 1e9, maxMessageBytes: 2_000 }]);
    sender = new Sender(log, 't');
  });

  it('finds every refused record, holds back what follows it of its key, and sends all else in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.nat(7), large: fc.boolean() }), { maxLength: 40 }),
        async (list) => {
          log = new MemoryEventLog();
          await log.provision([{ name: 't', partitions: 4, retentionMs: 1e9, maxMessageBytes: 2_000 }]);
          const seqs = new Map<number, number>();
          const stopped = new Set<number>();
          const events: OutboxEvent[] = [];
          const [sent, refused]: [string[], string[]] = [[], []];
          for (const { key, large } of list) {
            const seq = (seqs.get(key) ?? 0) + 1;
            seqs.set(key, seq);
            const made = event(key, `k${key}`, seq, large ? { data: TOO_LARGE } : {});
            events.push(made);
            if (stopped.has(key)) continue;
            (large ? refused : sent).push(made.eventId);
            if (large) stopped.add(key);
          }
          const outcome = await new Sender(log, 't').send(events, 4, () => true);
          expect(outcome.sent.map((one) => one.event.eventId).sort()).toEqual([...sent].sort());
          expect(outcome.refused.map((one) => one.event.eventId).sort()).toEqual([...refused].sort());
          for (const key of seqs.keys()) {
            const ofKey = (ids: string[]): string[] => ids.filter((id) => id.startsWith(`k${key}-`));
            expect(ofKey(inLog())).toEqual(ofKey(sent));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('sends the head alone of a key that was refused before, apart from the others', async () => {
    const sizes: number[] = [];
    const append = log.append.bind(log);
    log.append = (topic, records) => (sizes.push(records.length), append(topic, records));
    const events = [
      event(0, 'a', 1),
      event(0, 'b', 4, { attempts: 1 }),
      event(0, 'b', 5, { attempts: 1 }),
      event(1, 'c', 1),
    ];
    const { sent } = await sender.send(events, 4, () => true);
    expect(sent.map((one) => one.event.eventId)).toEqual(['a-1', 'c-1', 'b-4']);
    expect(sizes).toEqual([2, 1]);
  });

  it('sends nothing more of a slot once its lease could not be proved, even if it can be again', async () => {
    const events = [
      event(0, 'a', 1, { data: TOO_LARGE }),
      event(0, 'b', 1),
      event(0, 'b', 2),
      event(0, 'c', 1),
    ];
    let asked = 0;
    // Provable for the first append, lost for a moment in the search for the refused record, then provable again.
    const { sent, refused } = await sender.send(events, 4, () => ++asked <= events.length || asked > 6);
    expect([sent, refused, inLog()]).toEqual([[], [], []]);
  });
});
