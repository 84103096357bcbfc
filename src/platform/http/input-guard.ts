import { isUtf8 } from 'node:buffer';
import { DomainError, invalid } from '../kernel/errors.js';

/** Levels of nesting that a body may have: ours need three; recursion over a thousand would end the process. */
const MAX_DEPTH = 16;

/** C0 and C1 controls; PostgreSQL refuses NUL, terminals and logs obey the others. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether a text can be stored and shown: well-formed Unicode (no lone surrogates) without control characters. */
export const isCleanText = (value: string): boolean => value.isWellFormed() && !CONTROL.test(value);

/**
 * Refuses what no request of ours holds and what some library would stumble over: deep nesting, and names of
 * `Object.prototype` (`__proto__`, `constructor`, `hasOwnProperty`), which shadow what they name.
 * Not recursive, since the caller decides how deep the value goes.
 * @throws DomainError BODY_TOO_DEEP, UNKNOWN_FIELD (400)
 */
export function refuseHostileShape(value: unknown): void {
  const pending: [value: unknown, depth: number, path: string][] = [[value, 0, '']];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [item, depth, path] = next;
    if (typeof item !== 'object' || item === null) continue;
    if (depth >= MAX_DEPTH)
      throw invalid('BODY_TOO_DEEP', '', `The body is nested deeper than ${MAX_DEPTH} levels.`);
    for (const key of Object.keys(item)) {
      const at = path === '' ? shown(key) : `${path}.${shown(key)}`;
      if (key in Object.prototype) throw invalid('UNKNOWN_FIELD', at, 'There is no such field.');
      pending.push([(item as Record<string, unknown>)[key], depth + 1, at]);
    }
  }
}

/** A field's name as it may be given back: the caller made it up, and it may be long or broken. */
export const shown = (key: string): string => {
  const text = key.toWellFormed();
  return text.length <= 60 ? text : `${text.slice(0, 60).toWellFormed()}…`;
};

/**
 * The body of a request, undefined for an empty one.
 * @throws DomainError MALFORMED_JSON, BODY_TOO_DEEP, UNKNOWN_FIELD (400)
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new DomainError('MALFORMED_JSON', 'VALIDATION', 'The body is not valid UTF-8.');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    // The parser's own message quotes the body, which may name a guest.
    throw new DomainError('MALFORMED_JSON', 'VALIDATION', 'The body is not valid JSON.', undefined, {
      cause,
    });
  }
  refuseHostileShape(value);
  return value;
}
