import { describe, expect, it } from '@jest/globals';
import { KeptAnswers } from './kept-answers.js';

const MILLION = 1_000_000;

/** Asks for an answer of so many characters. Answers the version that the reader was told it has. */
async function ask(kept: KeptAnswers, name: string, length: number): Promise<string | null> {
  let told: string | null = null;
  await kept.answer([name], (known) => {
    told = known;
    return Promise.resolve({ version: `of ${name}`, data: known === null ? 'x'.repeat(length) : null });
  });
  return told;
}

describe('kept answers', () => {
  it('are eight MiB in all at most: what was asked for the longest time ago goes first', async () => {
    const kept = new KeptAnswers();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const name of names) await ask(kept, name, MILLION);
    expect(await ask(kept, 'a', MILLION)).toBe('of a');
    await ask(kept, 'i', MILLION);
    expect([await ask(kept, 'a', MILLION), await ask(kept, 'i', MILLION)]).toEqual(['of a', 'of i']);
    expect(await ask(kept, 'b', MILLION)).toBeNull();
  });

  it('hold none that is longer than a MiB', async () => {
    const kept = new KeptAnswers();
    for (let time = 0; time < 2; time++) expect(await ask(kept, 'long', 1.1 * MILLION)).toBeNull();
  });

  it('serve whoever was told a version, though the answer has gone meanwhile', async () => {
    const kept = new KeptAnswers();
    await ask(kept, 'a', MILLION);
    const { body } = await kept.answer(['a'], async (known) => {
      for (let n = 0; n < 9; n++) await ask(kept, String(n), MILLION);
      return { version: known!, data: null };
    });
    expect(body).toHaveLength(MILLION + '{"data":""}'.length);
    expect(await ask(kept, 'a', MILLION)).toBeNull();
  });
});
