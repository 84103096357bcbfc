import { describe, expect, it } from '@jest/globals';
import { describeEventLogConformance } from '../../../../test/support/event-log-conformance.js';
import { LogUnavailableError } from '../event-log.js';
import { MemoryEventLog } from './memory-event-log.js';
import { MemoryLogStore } from './memory-log-store.js';

describeEventLogConformance('memory', async () => {
  const store = new MemoryLogStore();
  return {
    open: async () =>
      new MemoryEventLog({ store, timing: { pauseMs: 5, backoffMinMs: 2, backoffMaxMs: 20 } }),
    appendForeign: async (topic, record) => void store.write(topic, [record]),
    truncate: async (topic, partition, offset) => store.truncate(topic, partition, offset),
    rebalances: true,
    close: async () => undefined,
  };
});

describe('the memory event log', () => {
  it('plays a broker that is away when told to', async () => {
    const log = new MemoryEventLog();
    await log.provision([{ name: 't', partitions: 1, retentionMs: 1_000, maxMessageBytes: 1_000 }]);
    log.store.down = true;
    await expect(log.append('t', [])).rejects.toBeInstanceOf(LogUnavailableError);
    await expect(log.ping()).rejects.toBeInstanceOf(LogUnavailableError);
  });

  it('keeps a copy: a caller that reuses its buffer does not rewrite history', async () => {
    const log = new MemoryEventLog();
    await log.provision([{ name: 't', partitions: 1, retentionMs: 1_000, maxMessageBytes: 1_000 }]);
    const value = Buffer.from('before');
    await log.append('t', [{ partition: 0, key: 'k', value, headers: {} }]);
    value.fill('x');
    expect(log.store.records('t')[0]!.value!.toString()).toBe('before');
  });
});
