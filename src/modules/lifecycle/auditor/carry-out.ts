import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { requestReplay } from '../../consumer/contract/dead-letters.js';
import { lookAgain, publishAgain, releaseKeys, type OutboxKey } from '../../outbox/contract/queue-control.js';
import type { ResumeAct } from '../domain/resume-act.js';
import type { OpenEvent } from '../persistence/standing-store.js';

/** How many events each act concerned. */
export type Done = Record<ResumeAct, number>;

/** An event and what is to make it go on. */
export interface Resumable {
  readonly event: OpenEvent;
  readonly act: ResumeAct | null;
}

/** Does it. `all` are the open events of the keys concerned, in order: what is published again takes those behind it along. */
export async function carryOut(tx: BackgroundTx, all: readonly Resumable[]): Promise<Done> {
  const of = (act: ResumeAct): OpenEvent[] => all.filter((one) => one.act === act).map(({ event }) => event);
  const letters = of('REPLAY').map(({ tenantId, letterId }) => ({ tenantId, deadLetterId: letterId! }));
  const done: Done = { WAKE: 0, RELEASE: 0, PUBLISH_AGAIN: 0, REPLAY: 0 };
  if (letters.length > 0) done.REPLAY = await requestReplay(tx, letters);
  // Slots are locked in one order within a call: one call for all of them, but for what is let go.
  const release = of('RELEASE');
  if (release.length > 0) await releaseKeys(tx, distinct(release));
  done.RELEASE = release.length;
  const wake = of('WAKE');
  if (wake.length > 0) await lookAgain(tx, distinct(wake));
  done.WAKE = wake.length;
  const lost = behindLost(all);
  if (lost.length > 0) done.PUBLISH_AGAIN = await publishAgain(tx, lost);
  return done;
}

/** Those that the log has lost, and of their keys whatever was published behind: in the log it now stands before them. */
export function behindLost(all: readonly Resumable[]): OpenEvent[] {
  const keys = new Set<string>();
  return all
    .filter(({ event, act }) => {
      if (act === 'PUBLISH_AGAIN') keys.add(nameOf(event));
      return keys.has(nameOf(event)) && event.place !== null && event.letter === null;
    })
    .map(({ event }) => event);
}

export const nameOf = ({ tenantId, aggregateId }: OutboxKey): string => `${tenantId}/${aggregateId}`;

const distinct = (keys: readonly OutboxKey[]): OutboxKey[] => [
  ...new Map(keys.map((key) => [nameOf(key), key])).values(),
];
