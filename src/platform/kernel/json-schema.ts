import { isIsoDate, isUtcTime } from './dates.js';
import { isUuid } from './ids.js';

type JsonType = 'object' | 'array' | 'string' | 'integer' | 'boolean' | 'null';

/** The part of JSON Schema (draft 2020-12) that contracts are written in; a keyword that isn't here doesn't compile. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type: JsonType | readonly JsonType[];
  readonly enum?: readonly (string | number | null)[];
  readonly pattern?: string;
  /** Asserted, not only noted. */
  readonly format?: 'uuid' | 'date' | 'date-time';
  /** Characters. */
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** What is wrong with a value, as the end of a sentence that begins with its name; null when nothing is. Never quotes the value. */
export type Check = (value: unknown) => string | null;

const IS: Readonly<Record<JsonType, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
};

const FORMATS = { uuid: isUuid, date: isIsoDate, 'date-time': isUtcTime } as const;

const onText =
  (holds: (text: string) => boolean, fault: string): Check =>
  (value) =>
    typeof value !== 'string' || holds(value) ? null : fault;
const onNumber =
  (holds: (number: number) => boolean, fault: string): Check =>
  (value) =>
    typeof value !== 'number' || holds(value) ? null : fault;

/** A keyword's own check; of annotations none. */
const KEYWORDS: { readonly [K in keyof JsonSchema]-?: (said: never, schema: JsonSchema) => Check | null } = {
  $schema: () => null,
  $id: () => null,
  title: () => null,
  description: () => null,
  required: () => null,
  type: (said: JsonSchema['type']) => {
    const types = typeof said === 'string' ? [said] : said;
    const checks = types.map((type) => IS[type]);
    const fault = ` is no ${types.join(' and no ')}`;
    return (value) => (checks.some((is) => is(value)) ? null : fault);
  },
  enum: (said: readonly unknown[]) => {
    const known = new Set(said);
    return (value) => (known.has(value) ? null : ' is none of the known values');
  },
  pattern: (said: string, { format }) => {
    // Said for others, who may only note a format; the format's own check is as strict or stricter.
    if (format) return null;
    const pattern = new RegExp(said, 'u');
    return onText((text) => pattern.test(text), ' has not its form');
  },
  format: (said: keyof typeof FORMATS) => onText(FORMATS[said], ` is no ${said}`),
  maxLength: (said: number) =>
    onText((text) => text.length <= said || [...text].length <= said, ` is longer than ${said}`),
  minimum: (said: number) => onNumber((number) => number >= said, ` is less than ${said}`),
  maximum: (said: number) => onNumber((number) => number <= said, ` is more than ${said}`),
  maxItems: (said: number) => (value) =>
    Array.isArray(value) && value.length > said ? ` has more than ${said} items` : null,
  items: (said: JsonSchema) => {
    const check = compileSchema(said);
    return (value) => (Array.isArray(value) ? firstFault(value, check) : null);
  },
  properties: (said: Readonly<Record<string, JsonSchema>>, { required = [] }) => {
    const members = Object.entries(said).map(([name, schema]) => ({
      name,
      check: compileSchema(schema),
      required: required.includes(name),
    }));
    return (value) => {
      if (!IS.object(value)) return null;
      for (const { name, check, required: always } of members) {
        // Own ones only: every object has a toString.
        const fault = Object.hasOwn(value as object, name)
          ? check((value as Record<string, unknown>)[name])
          : always
            ? ' is missing'
            : null;
        if (fault !== null) return `.${name}${fault}`;
      }
      return null;
    };
  },
};

function firstFault(items: readonly unknown[], check: Check): string | null {
  for (let i = 0; i < items.length; i++) {
    const fault = check(items[i]);
    if (fault !== null) return `.${i}${fault}`;
  }
  return null;
}

/**
 * A schema as a function, to be made once. Members that the schema doesn't name are passed over: a later producer may add some.
 * @throws RangeError a keyword that isn't in `JsonSchema`, or a required member without a schema
 */
export function compileSchema(schema: JsonSchema): Check {
  const nameless = (schema.required ?? []).filter((name) => !schema.properties?.[name]);
  if (nameless.length > 0) throw new RangeError(`required without a schema: ${nameless.join(', ')}`);
  const checks = Object.entries(schema).flatMap(([keyword, said]) => {
    if (!Object.hasOwn(KEYWORDS, keyword)) throw new RangeError(`unknown keyword ${keyword}`);
    const check = KEYWORDS[keyword as keyof JsonSchema](said as never, schema);
    return check ? [check] : [];
  });
  return (value) => {
    for (const check of checks) {
      const fault = check(value);
      if (fault !== null) return fault;
    }
    return null;
  };
}

/** A UUID in its canonical form. */
export const ID: JsonSchema = {
  type: 'string',
  format: 'uuid',
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
};
/** A calendar date. */
export const DATE: JsonSchema = {
  type: 'string',
  format: 'date',
  pattern: '^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}$',
};
/** A code of the catalogue. */
export const CODE: JsonSchema = { type: 'string', pattern: '^[A-Z0-9][A-Z0-9_-]{0,19}$' };
/** ISO 4217. */
export const CURRENCY: JsonSchema = { type: 'string', pattern: '^[A-Z]{3}$' };
export const FLAG: JsonSchema = { type: 'boolean' };

/** A whole number of `[minimum, maximum]`. */
export const whole = (minimum: number, maximum: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
});
/** Text that somebody chose for a thing; never for what may hold a person's data. */
export const label = (maxLength: number): JsonSchema => ({ type: 'string', maxLength });
export const oneOf = (...values: readonly string[]): JsonSchema => ({ type: 'string', enum: values });
export const list = (items: JsonSchema, maxItems: number): JsonSchema => ({ type: 'array', items, maxItems });
export const nullable = (schema: JsonSchema): JsonSchema => ({
  ...schema,
  type: [...new Set([schema.type, 'null' as const].flat())] as JsonType[],
  ...(schema.enum && { enum: [...new Set([...schema.enum, null])] }),
});

/** An object that has all members of `T`; one that `T` doesn't have, or a forgotten one, doesn't compile. */
export const object = <T extends object>(properties: {
  readonly [K in keyof Required<T>]: JsonSchema;
}): JsonSchema => ({ type: 'object', required: Object.keys(properties), properties });
