import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LogUnavailableError } from '../../../platform/event-log/event-log.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import { FencedError } from '../persistence/fenced-error.js';
import { describeFailure, kindOf } from './failures.js';
import { GaveUpError, processWithRetry, retryWaitMs } from './retry.js';

const pgError = (code: string, fields: object = {}): Error =>
  Object.assign(new Error('Key (email)=(ada@example.org)'), { code, ...fields });

describe('processWithRetry', () => {
  it('makes one try and exactly so many retries, however many fail, and waits before each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(8), fc.nat(8), async (retries, failing) => {
        let tries = 0;
        const waits: number[] = [];
        const told: number[] = [];
        const outcome = await processWithRetry(
          async () => {
            if (++tries <= failing) throw new Error('not yet');
            return 'done';
          },
          {
            retries,
            backoffMs: 10,
            onRetry: (retry) => told.push(retry),
            wait: async (ms) => void waits.push(ms),
            random: () => 1,
          },
        ).catch((error: unknown) => error);
        const made = Math.min(retries, failing);
        expect(tries).toBe(made + 1);
        expect(told).toEqual(Array.from({ length: made }, (_, i) => i + 1));
        expect(waits).toEqual(told.map((retry) => 10 * 2 ** (retry - 1)));
        if (failing <= retries) expect(outcome).toBe('done');
        else expect(outcome).toMatchObject({ name: 'GaveUpError', retries });
      }),
    );
  });

  it('lets an infrastructure error and one of a suspect class through at once, as it is', async () => {
    for (const error of [
      new LogUnavailableError('away'),
      pgError('42501'),
      pgError('57P01'),
      pgError('ECONNREFUSED'),
      new FencedError('x'),
    ]) {
      let tries = 0;
      const run = processWithRetry(() => Promise.reject((tries++, error)), { retries: 3, backoffMs: 1 });
      await expect(run).rejects.toBe(error);
      expect(tries).toBe(1);
    }
  });

  it('gives up at once what can never succeed', async () => {
    const error = pgError('23514');
    const run = processWithRetry(() => Promise.reject(error), { retries: 3, backoffMs: 1 });
    await expect(run).rejects.toMatchObject({ retries: 0, cause: error });
    await expect(run).rejects.toBeInstanceOf(GaveUpError);
  });

  it('waits between half and all of an exponential back-off', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (retry, random) => {
          const wait = retryWaitMs(retry, 50, () => random);
          expect(wait).toBeGreaterThanOrEqual((50 * 2 ** (retry - 1)) / 2);
          expect(wait).toBeLessThanOrEqual(50 * 2 ** (retry - 1));
        },
      ),
    );
  });
});

describe('the kind of a failure', () => {
  it('follows type and SQLSTATE, and never the words', () => {
    for (const code of ['53300', '57P01', '57P03', '25006', '08006'])
      expect([code, kindOf(pgError(code))]).toEqual([code, 'infrastructure']);
    for (const code of ['40001', '42501', '55P03', '57014', '58030', 'XX000'])
      expect([code, kindOf(pgError(code))]).toEqual([code, 'suspect']);
    expect(['22P02', '23505', '23514', '54000'].map((code) => kindOf(pgError(code)))).toEqual(
      Array(4).fill('permanent'),
    );
    expect(kindOf(new DomainError('X', 'CONFLICT', 'no'))).toBe('permanent');
    expect(kindOf(new DomainError('X', 'UNAVAILABLE', 'no'))).toBe('infrastructure');
    expect(
      [new TypeError('23505'), 'text', null, Object.assign(new Error(), { code: 'ENOENT' })].map(kindOf),
    ).toEqual(Array(4).fill('unclear'));
  });

  it("is described without PostgreSQL's words, which quote the row", () => {
    expect(
      describeFailure(
        pgError('23505', { constraint: 'guests_pkey', detail: 'Key (email)=(ada@example.org)' }),
      ),
    ).toEqual({
      code: 'SQLSTATE_23505',
      cause: 'PostgreSQL 23505, constraint guests_pkey',
    });
    expect(describeFailure(new Error(`nul\0 and ${'x'.repeat(1_000)}`)).cause).toMatch(
      /^Error: nul and x{285}$/,
    );
  });
});
