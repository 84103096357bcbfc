import { table } from '../../../platform/cli/output.js';
import { objectOf } from '../domain/record-value.js';
import type { InspectedLetter } from '../operations/dead-letter-operations.js';
import type { LetterRow } from '../persistence/letter-store.js';

/** Letters as lines of a table. */
export const letterTable = (letters: readonly LetterRow[]): string =>
  letters.length === 0
    ? 'no such dead letters'
    : table(
        letters.map(
          ({
            deadLetterId,
            status,
            code,
            tenantId,
            aggregateId,
            keySeq,
            retryCount,
            replayCount,
            createdAt,
          }) => ({
            id: deadLetterId,
            status,
            code,
            tenant: tenantId,
            key: aggregateId ?? '-',
            version: keySeq ?? '-',
            retries: retryCount,
            replays: replayCount,
            since: createdAt,
          }),
        ),
      );

/** The payload as it was delivered, or as it is now: its JSON, else its text, cut short. */
export function payloadOf(value: Buffer | null): unknown {
  if (value === null) return null;
  return objectOf(value) ?? { base64: value.subarray(0, 3_000).toString('base64'), bytes: value.length };
}

/** A letter as one JSON object: payloads parsed. */
export const letterJson = ({ recordValue, originalValue, ...rest }: InspectedLetter): object => ({
  ...rest,
  event: payloadOf(recordValue),
  original: originalValue === null ? null : payloadOf(originalValue),
});

/** A letter on a page, for a person. */
export function letterPage(letter: InspectedLetter): string {
  const { topic, partition, offset, recordValue, originalValue, recordHeaders, before, behind } = letter;
  const facts: readonly (readonly [string, string | number | null])[] = [
    ['id', letter.deadLetterId],
    ['status', letter.status],
    ['cause', `${letter.code}: ${letter.cause}`],
    ['tenant', letter.tenantId],
    ['key', letter.aggregateId],
    ['version', letter.keySeq],
    ['event', letter.eventId],
    ['record', `${topic}/${partition} at ${offset}, key ${letter.recordKey}`],
    ['retries', letter.retryCount],
    ['replays', letter.replayCount],
    ['occurred', letter.occurredAt],
    ['dead-lettered', letter.createdAt],
    ['last tried', letter.attemptedAt],
    ['in the topic', letter.publishedAt],
    ['replay asked', letter.replayRequestedAt],
    ['replay sent', letter.replayPublishedAt],
    ['resolved', letter.resolvedAt],
    ['skipped', letter.skippedAt],
  ];
  const pretty = (value: Buffer | null): string => JSON.stringify(payloadOf(value), null, 2);
  return [
    ...facts.filter(([, value]) => value !== null).map(([name, value]) => `${name.padEnd(14)}${value}`),
    '',
    'headers',
    JSON.stringify(recordHeaders, null, 2),
    originalValue === null ? 'event' : 'event, patched',
    pretty(recordValue),
    ...(originalValue === null ? [] : ['event as it was delivered', pretty(originalValue)]),
    ...(before.length === 0
      ? []
      : [`before it in its key: ${before.length}`, letterTable(before.slice(0, 10))]),
    ...(behind.length === 0
      ? []
      : [`behind it in its key: ${behind.length}`, letterTable(behind.slice(0, 10))]),
  ].join('\n');
}
