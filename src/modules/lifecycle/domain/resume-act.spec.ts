import { describe, expect, it } from '@jest/globals';
import { isLost, type LogRanges } from './resume-act.js';

const range: LogRanges = [{ start: 10n, end: 20n }];
const at = (offset: number, nextOffset: number) => ({ place: { partition: 0, offset }, nextOffset });

describe('a published event', () => {
  it.each<[string, ReturnType<typeof at>, LogRanges, boolean]>([
    ['is lost where the consumer has passed its place', at(14, 15), range, true],
    ['is not lost while the consumer has it before it', at(14, 14), range, false],
    ['is lost where the log begins after it, though the consumer has not come so far', at(9, 5), range, true],
    ['is not lost at the beginning of the log', at(10, 5), range, false],
    ['is lost where the log ends before it', at(20, 5), range, true],
    ['is not lost at the end of the log', at(19, 5), range, false],
    ['is not lost for all that is known while the log does not answer', at(9, 5), null, false],
  ])('%s', (_, event, ranges, lost) => {
    expect(isLost(event, ranges)).toBe(lost);
  });
});
