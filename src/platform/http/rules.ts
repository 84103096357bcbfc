import { isIsoDate } from '../kernel/dates.js';
import type { FieldError } from '../kernel/errors.js';
import { isUuid } from '../kernel/ids.js';
import { isCleanText } from './input-guard.js';

/** What is wrong with one value. */
export type Fault = Pick<FieldError, 'code' | 'message'>;

/** The part of a JSON schema that OpenAPI shows of a rule. */
export interface RuleSchema {
  readonly type: 'string' | 'integer' | 'boolean';
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly enum?: string[];
}

/** A rule for one present, non-null value. `parse` reads the value out of a query string, which knows only text. */
export interface Rule {
  check(value: unknown): Fault | null;
  readonly schema: RuleSchema;
  readonly parse?: (text: string) => unknown;
}

const fault = (code: string, message: string): Fault => ({ code, message });
const wrongType = (wanted: string): Fault => fault('TYPE_INVALID', `This must be ${wanted}.`);

export interface TextBounds {
  /** Shortest length in UTF-16 units, 1 unless told; a text of blanks counts as empty. */
  readonly min?: number;
  /** Longest length in UTF-16 units. */
  readonly max: number;
  readonly pattern?: RegExp;
  /** Judges a text that is otherwise sound. */
  readonly check?: (text: string) => boolean;
  /** Code and message when `pattern` or `check` fails; FORMAT_INVALID unless told. */
  readonly code?: string;
  readonly hint?: string;
  /** Line feeds are let through: postal addresses have them. */
  readonly multiline?: boolean;
}

/** TYPE_INVALID, TEXT_INVALID, TEXT_TOO_SHORT, TEXT_TOO_LONG, and `code`. */
export const textRule = ({ min = 1, max, pattern, check, code, hint, multiline }: TextBounds): Rule => ({
  schema: {
    type: 'string',
    minLength: min,
    maxLength: max,
    ...(pattern && { pattern: pattern.source }),
  },
  check(value) {
    if (typeof value !== 'string') return wrongType('a text');
    if (value.length > max) return fault('TEXT_TOO_LONG', `This may have ${max} characters at most.`);
    if (!isCleanText(multiline ? value.replaceAll('\n', '') : value))
      return fault('TEXT_INVALID', 'This holds control characters or broken Unicode.');
    if (value.trim().length < min)
      return fault('TEXT_TOO_SHORT', `This must have ${min} characters at least.`);
    if ((pattern && !pattern.test(value)) || (check && !check(value)))
      return fault(code ?? 'FORMAT_INVALID', hint ?? 'This has not the form that is wanted.');
    return null;
  },
});

/** A whole number of `[min, max]`: TYPE_INVALID, OUT_OF_RANGE. A text is no number. */
export const intRule = (min: number, max: number): Rule => ({
  schema: { type: 'integer', minimum: min, maximum: max },
  parse: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  check(value) {
    if (typeof value !== 'number' || !Number.isInteger(value)) return wrongType('a whole number');
    // -0 would come back from PostgreSQL as 0 and from JSON as 0, but hash as another body.
    if (value < min || value > max || Object.is(value, -0))
      return fault('OUT_OF_RANGE', `This must be from ${min} to ${max}.`);
    return null;
  },
});

/** TYPE_INVALID. In a query: `true` or `false`. */
export const boolRule: Rule = {
  schema: { type: 'boolean' },
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  check: (value) => (typeof value === 'boolean' ? null : wrongType('true or false')),
};

/** `YYYY-MM-DD`, a day that exists, 1900 to 2999: TYPE_INVALID, DATE_INVALID. */
export const dateRule: Rule = {
  schema: { type: 'string', format: 'date' },
  check(value) {
    if (typeof value !== 'string') return wrongType('a date');
    return isIsoDate(value) ? null : fault('DATE_INVALID', 'This must be a day that exists, as YYYY-MM-DD.');
  },
};

/** A canonical UUID: TYPE_INVALID, ID_INVALID. */
export const idRule: Rule = {
  schema: { type: 'string', format: 'uuid' },
  check(value) {
    if (typeof value !== 'string') return wrongType('an id');
    return isUuid(value) ? null : fault('ID_INVALID', 'This must be a UUID in lower case.');
  },
};

/** One of a list: TYPE_INVALID, ENUM_INVALID. */
export const enumRule = (allowed: readonly string[]): Rule => ({
  schema: { type: 'string', enum: [...allowed] },
  check(value) {
    if (typeof value !== 'string') return wrongType('a text');
    return allowed.includes(value)
      ? null
      : fault('ENUM_INVALID', `This must be one of ${allowed.join(', ')}.`);
  },
});
