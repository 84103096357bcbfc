/** A record as the event log hands it over. */
export interface IncomingRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** What names an event: whose it is, which version of which aggregate it made, and where its checkpoints are kept. */
export interface Identity {
  readonly eventId: string;
  readonly tenantId: string;
  readonly aggregateId: string;
  readonly keySeq: number;
  /** ISO 8601, UTC, microseconds. */
  readonly occurredAt: string;
}

/** What a replayed record says of itself, in its headers: which dead letter it is, and which of its replays. */
export interface ReplayMark {
  readonly deadLetterId: string;
  /** 1 for the first. */
  readonly replay: number;
}

/** The headers of a replayed record. */
export const REPLAY_HEADERS = { deadLetterId: 'ce_deadletterid', replay: 'ce_replay' } as const;
