import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TopicSpec } from '../event-log.js';
import { planChanges, replicasOf, settingsOf, type FoundTopic } from './topic-plan.js';

const spec: TopicSpec = {
  name: 't',
  partitions: 8,
  retentionMs: 1000,
  maxMessageBytes: 2000,
  replicas: 3,
  minInsync: 2,
};
const BROKERS = 3;
const OWN = Object.keys(settingsOf(spec, BROKERS));
/** The topic as it is wanted, with `fields` and `settings` over it. */
const found = (settings: Record<string, string> = {}, fields: Partial<FoundTopic> = {}): FoundTopic => ({
  partitions: 8,
  replicas: 3,
  settings: new Map(Object.entries({ ...settingsOf(spec, BROKERS), ...settings })),
  own: new Set([...OWN, ...Object.keys(settings)]),
  ...fields,
});
const plan = (topic: FoundTopic, growPartitions = false, wanted: Partial<TopicSpec> = {}) =>
  planChanges({ ...spec, ...wanted }, topic, BROKERS, { growPartitions });

describe('the plan for a topic that exists', () => {
  it('is nothing where all is as wanted', () => {
    expect(plan(found())).toEqual({ changes: [], drift: [], settings: null, partitions: null });
  });

  it('sets what loses and refuses nothing, and names every setting that the topic has of its own beside it', () => {
    const { changes, drift, settings } = plan(
      found({
        'retention.ms': '999',
        'max.message.bytes': '1999',
        'cleanup.policy': 'compact',
        'min.insync.replicas': '1',
        'segment.bytes': '7',
      }),
    );
    expect([changes.length, drift]).toEqual([4, []]);
    expect(Object.fromEntries(settings!)).toEqual({ ...settingsOf(spec, BROKERS), 'segment.bytes': '7' });
  });

  it.each([
    ['retention.ms', '1001'],
    ['retention.ms', '-1'],
    ['max.message.bytes', '2001'],
    ['min.insync.replicas', '3'],
  ])('leaves a %s of %s, and says so', (setting, from) => {
    const { changes, drift, settings } = plan(found({ [setting]: from }));
    expect([changes, settings]).toEqual([[], null]);
    expect(drift).toEqual([
      { setting, from, to: settingsOf(spec, BROKERS)[setting], why: expect.any(String) },
    ]);
  });

  it('asks for no more copies in sync than leave one broker free to go', () => {
    const { changes, drift } = plan(found({ 'min.insync.replicas': '1' }, { replicas: 2 }));
    expect(changes).toEqual([]);
    expect(drift.map(({ setting }) => setting)).toEqual(['min.insync.replicas', 'replication.factor']);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 9 }),
        (replicas, minInsync, brokers) => {
          const wanted = { ...spec, replicas, minInsync };
          const copies = replicasOf(wanted, brokers);
          const inSync = Number(settingsOf(wanted, brokers)['min.insync.replicas']);
          expect(copies).toBeLessThanOrEqual(brokers);
          expect(inSync).toBeGreaterThanOrEqual(1);
          expect(inSync < copies || copies === 1).toBe(true);
        },
      ),
    );
  });

  it('never takes partitions away, and adds some only when it is told to', () => {
    expect(plan(found({}, { partitions: 9 }), true)).toMatchObject({
      partitions: null,
      drift: [{ setting: 'partitions', from: '9', to: '8' }],
    });
    expect(plan(found({}, { partitions: 7 }))).toMatchObject({
      partitions: null,
      drift: [{ setting: 'partitions', from: '7', to: '8' }],
    });
    expect(plan(found({}, { partitions: 7 }), true)).toMatchObject({
      partitions: 8,
      changes: [{ setting: 'partitions', from: '7', to: '8' }],
      drift: [],
    });
  });
});
