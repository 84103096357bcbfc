import { LRUCache } from 'lru-cache';
import type { StoredAnswer } from '../database/idempotency.js';
import type { Versioned } from '../kernel/versioned.js';
import { metrics } from '../observability/metrics.js';
import { answer } from './answer.js';

/** Longest bodies that are kept, all together and each, in characters. */
const MOST = 8 * 1024 * 1024;
const MOST_OF_ONE = 1024 * 1024;

/**
 * Long answers, kept as they were sent and never sent unasked: each read asks the database for the version first, in the
 * tenant's scope and in the statement that would read the rest, so that nobody gets an answer that is out of date, or another's.
 */
export class KeptAnswers {
  private readonly kept = new LRUCache<string, { version: string; answer: StoredAnswer }>({
    maxSize: MOST,
    maxEntrySize: MOST_OF_ONE,
    sizeCalculation: ({ answer: { body } }) => body.length,
  });

  /**
   * @param key what is asked for, and of whom: tenant, path and parameters
   * @param read the version, and the data unless it is the version that is given
   */
  async answer<T>(
    key: readonly unknown[],
    read: (known: string | null) => Promise<Versioned<T>>,
  ): Promise<StoredAnswer> {
    const name = key.join(' ');
    const known = this.kept.get(name);
    const { version, data } = await read(known?.version ?? null);
    metrics.keptAnswers.inc({ outcome: known ? (data === null ? 'same' : 'changed') : 'new' });
    if (known && data === null) return known.answer;
    const made = answer(200, data);
    this.kept.set(name, { version, answer: made });
    return made;
  }
}
