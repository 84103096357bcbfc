import { describe, expect, it } from '@jest/globals';
import { inRounds, median } from './rounds.js';

const quiet = { say: () => undefined };

/** Answers one figure after the other, and notes when it is asked. */
const runner = (name: string, figures: number[], order: string[] = []) => ({
  name,
  round: async () => {
    order.push(name);
    return { rate: figures.shift()! };
  },
});

describe('median', () => {
  it('is the middle one, whatever the order', () => expect(median([30, 1, 2])).toBe(2));
  it('is the mean of the two in the middle', () => expect(median([4, 1, 2, 100])).toBe(3));
});

describe('inRounds', () => {
  it('forgets the warm-up, and gives medians, spreads, and ours / theirs', async () => {
    const measures = await inRounds(
      { rate: '/s' },
      [runner('us', [999, 10, 30, 20]), runner('peer', [0, 4, 8, 6])],
      { rounds: 3, ...quiet },
    );
    expect(measures).toEqual({
      rate: {
        ours: 20,
        peers: { peer: 6 },
        ratio: { peer: 3.33 },
        unit: '/s',
        spread: { ours: [10, 30], peer: [4, 8] },
      },
    });
  });

  it('runs everybody in each round, and begins with another one each time', async () => {
    const order: string[] = [];
    await inRounds({ rate: '/s' }, [runner('a', [1, 1, 1], order), runner('b', [1, 1, 1], order)], {
      rounds: 2,
      ...quiet,
    });
    expect(order).toEqual(['a', 'b', 'b', 'a', 'a', 'b']);
  });

  it('counts the first round where nothing is to be warmed up', async () => {
    const { rate } = await inRounds({ rate: '/s' }, [runner('us', [10, 20])], {
      rounds: 2,
      warmUp: false,
      ...quiet,
    });
    expect(rate).toMatchObject({ ours: 15, spread: { ours: [10, 20] } });
  });

  it('leaves a peer out of a measure that it says nothing of', async () => {
    const silent = { name: 'silent', round: async () => ({}) };
    const { rate } = await inRounds({ rate: '/s' }, [runner('ours', [1, 2]), silent], {
      rounds: 1,
      ...quiet,
    });
    expect(rate).toEqual({ ours: 2, peers: {}, ratio: {}, unit: '/s', spread: { ours: [2, 2] } });
  });
});
