/** States of a reservation. `EXPIRED` and `CHECKED_OUT` are final. */
export const STATUSES = [
  'HELD',
  'CONFIRMED',
  'CHECKED_IN',
  'CHECKED_OUT',
  'CANCELLED',
  'NO_SHOW',
  'EXPIRED',
] as const;
export type Status = (typeof STATUSES)[number];

/** Commands that move a reservation from one state to another. */
export type MoveCommand =
  'confirm' | 'cancel' | 'expire' | 'no-show' | 'check-in' | 'check-out' | 'reinstate';

export interface Move {
  readonly command: MoveCommand;
  readonly from: Status;
  readonly to: Status;
}

/** The published table of legal moves. The table `reservation_moves` and its trigger repeat it; a test compares the two. */
export const MOVES: readonly Move[] = [
  { command: 'confirm', from: 'HELD', to: 'CONFIRMED' },
  { command: 'cancel', from: 'HELD', to: 'CANCELLED' },
  { command: 'expire', from: 'HELD', to: 'EXPIRED' },
  { command: 'cancel', from: 'CONFIRMED', to: 'CANCELLED' },
  { command: 'no-show', from: 'CONFIRMED', to: 'NO_SHOW' },
  { command: 'check-in', from: 'CONFIRMED', to: 'CHECKED_IN' },
  { command: 'check-out', from: 'CHECKED_IN', to: 'CHECKED_OUT' },
  { command: 'reinstate', from: 'CANCELLED', to: 'CONFIRMED' },
  { command: 'reinstate', from: 'NO_SHOW', to: 'CONFIRMED' },
];

/** Commands that change a reservation and leave its state, by the states that permit them. */
const CHANGES: Readonly<Record<'modify' | 'change-departure', readonly Status[]>> = {
  modify: ['HELD', 'CONFIRMED'],
  'change-departure': ['CHECKED_IN'],
};
export type ChangeCommand = keyof typeof CHANGES;

/** Whether a reservation in this state takes its nights out of the inventory. */
export const takesNights = (status: Status): boolean =>
  status === 'HELD' || status === 'CONFIRMED' || status === 'CHECKED_IN' || status === 'CHECKED_OUT';

/** The state that `command` leads to, or undefined when the move is illegal. */
export const targetOf = (command: MoveCommand, from: Status): Status | undefined =>
  MOVES.find((move) => move.command === command && move.from === from)?.to;

/** Whether a reservation in this state may be changed by `command`. */
export const permits = (command: ChangeCommand, status: Status): boolean => CHANGES[command].includes(status);

/** Everything that can be asked of a reservation in this state, for the refusal of something else. */
export const legalCommands = (status: Status): string[] => [
  ...MOVES.filter((move) => move.from === status && move.command !== 'expire').map((move) => move.command),
  ...(['modify', 'change-departure'] as const).filter((command) => permits(command, status)),
];
