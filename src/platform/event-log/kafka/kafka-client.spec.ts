import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import kafkajs from 'kafkajs';
import { SILENT_SINK } from '../delivery/log-sink.js';
import { createKafka, disconnect } from './kafka-client.js';

describe('the farewell from Kafka', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('is not waited for longer than five seconds, whatever request is still under way', async () => {
    let over = false;
    const end = disconnect({ disconnect: () => new Promise(() => undefined) }).then(() => (over = true));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await end;
    expect(over).toBe(true);
  });

  it('that fails is one all the same', async () => {
    await expect(
      disconnect({ disconnect: () => Promise.reject(new Error('no broker')) }),
    ).resolves.toBeUndefined();
  });
});

describe('a rejection that kafkajs leaves to nobody', () => {
  const before = process.listeners('unhandledRejection');
  const warnings: string[] = [];
  createKafka({
    brokers: ['localhost:1'],
    clientId: 'test',
    sink: { ...SILENT_SINK, warn: (line) => void warnings.push(line) },
  });
  createKafka({ brokers: ['localhost:1'], clientId: 'test', sink: SILENT_SINK });
  const [hear, ...more] = process.listeners('unhandledRejection').filter((one) => !before.includes(one));
  if (hear) process.removeListener('unhandledRejection', hear);

  it('is told, by one listener a process, and ends nothing', () => {
    expect(more).toEqual([]);
    hear!(new kafkajs.KafkaJSConnectionError('Closed connection'), Promise.resolve());
    expect(warnings).toEqual(['kafkajs left a failure to nobody: KafkaJSConnectionError: Closed connection']);
  });

  it('of anybody else ends the process', () => {
    expect(() => hear!(new TypeError('ours'), Promise.resolve())).toThrow('ours');
  });
});
