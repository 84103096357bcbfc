import { describe, expect, it } from '@jest/globals';
import { legalCommands, MOVES, permits, STATUSES, takesNights, targetOf, type Status } from './moves.js';

describe('the table of moves', () => {
  it('names known states only, and leads somewhere else', () => {
    for (const { from, to } of MOVES) {
      expect(STATUSES).toContain(from);
      expect(STATUSES).toContain(to);
      expect(from).not.toBe(to);
    }
  });

  it('has one target for a command in a state, and one command for a pair of states', () => {
    const asked = MOVES.map(({ command, from }) => `${command} ${from}`);
    const pairs = MOVES.map(({ from, to }) => `${from} ${to}`);
    expect(new Set(asked).size).toBe(MOVES.length);
    expect(new Set(pairs).size).toBe(MOVES.length);
  });

  it('ends in CHECKED_OUT and EXPIRED, and in no other state', () => {
    const final = STATUSES.filter((status) => !MOVES.some(({ from }) => from === status));
    expect(final).toEqual(['CHECKED_OUT', 'EXPIRED']);
  });

  it('reaches every state from a new reservation', () => {
    const reached = new Set<Status>(['HELD', 'CONFIRMED']);
    for (let grown = true; grown;) {
      const next = MOVES.filter(({ from, to }) => reached.has(from) && !reached.has(to));
      for (const { to } of next) reached.add(to);
      grown = next.length > 0;
    }
    expect([...reached].sort()).toEqual([...STATUSES].sort());
  });

  it('answers a target for each of its rows and for nothing else', () => {
    const commands = [...new Set(MOVES.map(({ command }) => command))];
    for (const command of commands)
      for (const from of STATUSES)
        expect([command, from, targetOf(command, from)]).toEqual([
          command,
          from,
          MOVES.find((row) => row.command === command && row.from === from)?.to,
        ]);
  });
});

describe('what a state means', () => {
  it.each([
    ['HELD', true],
    ['CONFIRMED', true],
    ['CHECKED_IN', true],
    ['CHECKED_OUT', true],
    ['CANCELLED', false],
    ['NO_SHOW', false],
    ['EXPIRED', false],
  ] as const)('%s takes its nights: %s', (status, takes) => {
    expect(takesNights(status)).toBe(takes);
  });

  it.each([
    ['HELD', ['confirm', 'cancel', 'modify']],
    ['CONFIRMED', ['cancel', 'no-show', 'check-in', 'modify']],
    ['CHECKED_IN', ['check-out', 'change-departure']],
    ['CHECKED_OUT', []],
    ['CANCELLED', ['reinstate']],
    ['NO_SHOW', ['reinstate']],
    ['EXPIRED', []],
  ] as const)("%s permits %j; the sweep's expire is offered to nobody", (status, commands) => {
    expect(legalCommands(status)).toEqual(commands);
  });

  it('permits modify before the arrival and change-departure in house, and neither elsewhere', () => {
    expect(STATUSES.filter((status) => permits('modify', status))).toEqual(['HELD', 'CONFIRMED']);
    expect(STATUSES.filter((status) => permits('change-departure', status))).toEqual(['CHECKED_IN']);
  });
});
