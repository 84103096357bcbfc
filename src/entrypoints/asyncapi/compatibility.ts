import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../../platform/kernel/json-schema.js';

/** What a reader of records doesn't act on. */
const WORDS: ReadonlySet<string> = new Set(['$schema', '$id', 'title', 'description']);

/**
 * Why `now` may not stand under the version that `released` has, a line each. Allowed is one change only: a new member that
 * may be missing. Then readers of today understand the events of tomorrow, and those of tomorrow what is in the log today.
 */
export function incompatibilities(released: JsonSchema, now: JsonSchema, at = 'the value'): string[] {
  const { properties: had = {}, required: always = [], items: hadItems, ...rest } = released;
  const { properties: has = {}, required: nowAlways = [], items: hasItems, ...nowRest } = now;
  return [
    ...differing(rest, nowRest).map((keyword) => `${at}: ${keyword} changed`),
    ...Object.entries(had).flatMap(([name, schema]) =>
      has[name] ? incompatibilities(schema, has[name], `${at}.${name}`) : [`${at}.${name} was removed`],
    ),
    ...always.filter((name) => !nowAlways.includes(name)).map((name) => `${at}.${name} may be missing now`),
    ...nowAlways
      .filter((name) => !always.includes(name))
      .map((name) => `${at}.${name} is required now: events in the log lack it`),
    ...(hadItems && hasItems
      ? incompatibilities(hadItems, hasItems, `${at}[]`)
      : hadItems === hasItems
        ? []
        : [`${at}: items changed`]),
  ];
}

const differing = (one: object, other: object): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (keyword) =>
      !WORDS.has(keyword) &&
      !isDeepStrictEqual(
        (one as Record<string, unknown>)[keyword],
        (other as Record<string, unknown>)[keyword],
      ),
  );
