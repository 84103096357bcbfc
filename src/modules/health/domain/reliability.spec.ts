import { describe, expect, it } from '@jest/globals';
import { judge, type ReliabilityFigures, valuesOf, worst } from './reliability.js';

const FIGURES: ReliabilityFigures = {
  backlog: 3,
  backlogEstimated: false,
  backlogBySlot: [],
  backlogAgeSeconds: 1.5,
  logAnswers: true,
  partitions: [
    { partition: 0, nextOffset: 5, lag: 0, commitAgeSeconds: 90_000 },
    { partition: 1, nextOffset: 5, lag: 7, commitAgeSeconds: 61 },
    { partition: 2, nextOffset: 0, lag: 2, commitAgeSeconds: null },
  ],
  lastCommitSeconds: 61,
  deadLetters: { DEAD: 1, PARKED: 2, REPLAYING: 3 },
  deadLetterRetries: 3,
  blockedKeys: { FAILED: 1, PARKED: 0, DLQ: 0 },
  stalled: { PERSISTED: 0, PUBLISHED: 0, PARKED: 0, DLQ: 0 },
  stalledExhausted: 0,
};

describe('the reliability figures', () => {
  it('sum what belongs together, and expect no commit of a partition that has nothing to apply', () => {
    expect(valuesOf(FIGURES, 4)).toEqual({
      backlog: 3,
      backlogAgeSeconds: 1.5,
      lag: 9,
      commitAgeSeconds: 61,
      deadLetters: 6,
      deadLetterRetries: 3,
      blockedKeys: 1,
      stalled: 0,
      stalledExhausted: 0,
      measuredAgeSeconds: 4,
    });
  });

  it('turn to warning and to critical above their thresholds, and not at them', () => {
    const at = (value: number | null): string =>
      judge({ deadLetters: value }, { deadLetters: { warning: 0, critical: 50 } }).deadLetters.level;
    expect([at(0), at(1), at(50), at(51)]).toEqual(['ok', 'warning', 'warning', 'critical']);
  });

  it('are a warning where they are not known', () => {
    const { lag, commitAgeSeconds } = valuesOf({ ...FIGURES, logAnswers: false }, 0);
    expect([lag, commitAgeSeconds]).toEqual([null, null]);
    expect(judge({ lag: null }, { lag: { warning: 5, critical: 10 } }).lag).toEqual({
      value: null,
      warning: 5,
      critical: 10,
      level: 'warning',
    });
  });

  it('are as bad as the worst of them', () => {
    expect([worst([]), worst(['ok', 'critical', 'warning']), worst(['ok', 'warning'])]).toEqual([
      'ok',
      'critical',
      'warning',
    ]);
  });
});
