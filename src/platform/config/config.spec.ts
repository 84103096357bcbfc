import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig, requireForMode } from './config.js';
import { KEYS } from './keys.js';

/** What is wrong with an environment, a line each. */
function faultsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  test('docs/configuration.md names every key with its default and its meaning, in order, and no other', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$/gm)].filter((row) =>
      KEYS.some(({ name }) => name === row[1]),
    );
    const table = rows
      .slice(0, KEYS.length)
      .map((row) => ({ name: row[1], fallback: row[2] ?? '', about: row[3] }));
    expect(table).toEqual(KEYS);
  });

  test('every variable that is read is a documented key', () => {
    const read = new Set<string>();
    const spy = new Proxy<NodeJS.ProcessEnv>(
      {},
      {
        get: (_, name) => {
          read.add(String(name));
          return undefined;
        },
      },
    );
    loadConfig(spy);
    expect([...read].sort()).toEqual(KEYS.map(({ name }) => name).sort());
  });

  test('an empty environment is the embedded default, all in one process', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      mode: 'all',
      embedded: true,
      port: 3000,
      host: '127.0.0.1',
      kafkaBrokers: [],
    });
    expect(config.jwksFile).toBe(resolve('.tartware/keys/jwks.json'));
    expect(() => requireForMode(config)).not.toThrow();
  });

  test('a blank value counts as none', () => {
    expect(loadConfig({ PORT: '  ', DATABASE_URL: ' ' })).toMatchObject({ port: 3000, embedded: true });
  });

  test('keys lie under the home that was named, unless they were named themselves', () => {
    expect(loadConfig({ TARTWARE_HOME: '/srv/t' }).signingKeyFile).toBe('/srv/t/keys/signing.jwk');
    expect(loadConfig({ TARTWARE_HOME: '/srv/t', AUTH_JWKS_FILE: '/etc/jwks' }).jwksFile).toBe('/etc/jwks');
  });

  test.each([
    [{ APP_MODE: 'both' }, 'APP_MODE'],
    [{ PORT: '65536' }, 'PORT'],
    [{ PORT: '3000.5' }, 'PORT'],
    [{ PORT: '0x50' }, 'PORT'],
    [{ DATABASE_URL: 'mysql://db' }, 'DATABASE_URL'],
    [{ DATABASE_WORKER_URL: 'db' }, 'DATABASE_WORKER_URL'],
    [{ DATABASE_OWNER_URL: 'db' }, 'DATABASE_OWNER_URL'],
    [{ DATABASE_POOL_SIZE: '1' }, 'DATABASE_POOL_SIZE'],
    [{ KAFKA_BROKERS: 'one:9092,two' }, 'KAFKA_BROKERS'],
    [{ RESERVATION_TOPIC: 'a b' }, 'RESERVATION_TOPIC'],
    [{ RESERVATION_DLQ_TOPIC: '/' }, 'RESERVATION_DLQ_TOPIC'],
    [{ RESERVATION_TOPIC_PARTITIONS: '0' }, 'RESERVATION_TOPIC_PARTITIONS'],
    [{ KAFKA_MAX_RETRIES: '-1' }, 'KAFKA_MAX_RETRIES'],
    [{ OUTBOX_RETRY_SCHEDULE_MS: '1000,soon' }, 'OUTBOX_RETRY_SCHEDULE_MS'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
  ])('%j is refused, and %s named', (env, name) => {
    const faults = faultsOf(() => loadConfig(env));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}\\b`));
  });

  test('every fault is named at once', () => {
    const faults = faultsOf(() =>
      loadConfig({ APP_MODE: 'x', PORT: 'y', LOG_LEVEL: 'z', KAFKA_BROKERS: 'w', OUTBOX_LEASE_MS: '1' }),
    );
    const named = faults.map((line) => /^[A-Z_]+/.exec(line)?.[0]);
    expect(named.sort()).toEqual(['APP_MODE', 'KAFKA_BROKERS', 'LOG_LEVEL', 'OUTBOX_LEASE_MS', 'PORT']);
  });

  test('the password of an address is never repeated', () => {
    const env = {
      DATABASE_URL: 'http://app:s3cret@db/t',
      DATABASE_WORKER_URL: 'worker:s3cret@db',
      DATABASE_OWNER_URL: '//owner:s3cret@db',
      PORT: 'x',
    };
    const faults = faultsOf(() => loadConfig(env));
    expect(faults).toHaveLength(4);
    expect(faults.join('\n')).not.toContain('s3cret');
  });

  test.each([
    [{ APP_MODE: 'api' }, /DATABASE_URL/],
    [{ APP_MODE: 'worker' }, /DATABASE_WORKER_URL/],
    [{ APP_MODE: 'api', DATABASE_WORKER_URL: 'postgres://w@db/t' }, /DATABASE_URL/],
    [{ APP_MODE: 'worker', DATABASE_URL: 'postgres://a@db/t' }, /DATABASE_WORKER_URL/],
    [{ DATABASE_OWNER_URL: 'postgres://o@db/t' }, /DATABASE_URL and DATABASE_WORKER_URL/],
  ])('%j lacks what its mode needs', (env, lacking) => {
    expect(faultsOf(() => requireForMode(loadConfig(env))).join()).toMatch(lacking);
  });

  test('each mode needs its own address and no other', () => {
    const api = loadConfig({ APP_MODE: 'api', DATABASE_URL: 'postgres://a@db/t' });
    const worker = loadConfig({ APP_MODE: 'worker', DATABASE_WORKER_URL: 'postgresql://w@db/t' });
    expect(() => [api, worker].forEach(requireForMode)).not.toThrow();
  });
});
