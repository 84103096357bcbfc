import { ApiProperty } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { registerDecorator, ValidateNested, type ValidationArguments } from 'class-validator';
import {
  boolRule,
  dateRule,
  enumRule,
  idRule,
  intRule,
  textRule,
  type Fault,
  type Rule,
  type TextBounds,
} from './rules.js';

/** What every field may say about itself. */
export interface FieldOptions {
  /** May be left out. */
  readonly optional?: boolean;
  /** May be null. */
  readonly nullable?: boolean;
  /** Comes in a query string: the text is read as the type first. */
  readonly query?: boolean;
  readonly example?: unknown;
  readonly description?: string;
}

/** A fault and where it lies below the field: class-validator carries one text a constraint, so this travels as JSON. */
export interface PlacedFault extends Fault {
  readonly at?: string;
}

/** The name of the one constraint of a field. */
export const FIELD_CONSTRAINT = 'field';

type Judge = (value: unknown) => PlacedFault | null;

/** A field as it was declared, for those who check it without reflection. */
export interface DeclaredField {
  /** Judges the value of the field itself, absent ones too; not what is nested in it. */
  readonly judge: Judge;
  /** Reads the value out of a query's text. */
  readonly parse?: (text: string) => unknown;
  /** The class of the object, or of each object of the list, that it holds. */
  readonly nested?: () => new () => object;
}

const declared = new WeakMap<object, Map<string, DeclaredField>>();

/** The fields of a class, inherited ones included. */
export function fieldsOf(dto: new () => object): ReadonlyMap<string, DeclaredField> {
  const parent = Object.getPrototypeOf(dto) as (new () => object) | null;
  const inherited = typeof parent === 'function' && parent.prototype ? fieldsOf(parent) : [];
  return new Map([...inherited, ...(declared.get(dto.prototype as object) ?? [])]);
}

/** Presence and null are judged here, once; `judge` sees values only. */
function constrain(
  judge: Judge,
  { optional, nullable }: FieldOptions,
  more: Omit<DeclaredField, 'judge'> = {},
): PropertyDecorator {
  const whole: Judge = (value) => {
    if (value === undefined)
      return optional ? null : { code: 'FIELD_REQUIRED', message: 'This is required.' };
    if (value === null) return nullable ? null : { code: 'TYPE_INVALID', message: 'This must not be null.' };
    return judge(value);
  };
  return (target, key) => {
    const fields = declared.get(target) ?? new Map<string, DeclaredField>();
    declared.set(target, fields.set(String(key), { judge: whole, ...more }));
    registerDecorator({
      name: FIELD_CONSTRAINT,
      target: target.constructor,
      propertyName: String(key),
      validator: {
        validate: (value: unknown) => whole(value) === null,
        defaultMessage: (args?: ValidationArguments) => JSON.stringify(whole(args?.value)),
      },
    });
  };
}

function document(schema: Record<string, unknown>, options: FieldOptions): PropertyDecorator {
  const { optional, nullable, example, description } = options;
  return ApiProperty({
    ...schema,
    required: !optional,
    ...(nullable && { nullable }),
    ...(example !== undefined && { example }),
    ...(description && { description }),
  });
}

const field =
  (rule: Rule, options: FieldOptions): PropertyDecorator =>
  (target, key) => {
    const parse = options.query ? rule.parse : undefined;
    constrain((value) => rule.check(value), options, { parse })(target, key);
    document({ ...rule.schema }, options)(target, key);
    if (parse)
      Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? parse(value) : value))(
        target,
        key,
      );
  };

/** A text; `min` and `max` in UTF-16 units. */
export const TextField = (options: FieldOptions & TextBounds): PropertyDecorator =>
  field(textRule(options), options);

/** A whole number of `[min, max]`. */
export const IntField = (options: FieldOptions & { min: number; max: number }): PropertyDecorator =>
  field(intRule(options.min, options.max), options);

/** Largest amount, in minor units; the prices' check constraint repeats it. */
export const MAX_AMOUNT_MINOR = 100_000_000_000;

/** An amount in minor units of the property's currency: 0 to 100,000,000,000 unless told. */
export const MoneyField = (options: FieldOptions & { min?: number } = {}): PropertyDecorator =>
  field(intRule(options.min ?? 0, MAX_AMOUNT_MINOR), { example: 12_500, ...options });

/** A day that exists, `YYYY-MM-DD`. */
export const DateField = (options: FieldOptions = {}): PropertyDecorator =>
  field(dateRule, { example: '2026-03-01', ...options });

/** A canonical UUID. */
export const IdField = (options: FieldOptions = {}): PropertyDecorator => field(idRule, options);

/** One of `values`. */
export const EnumField = (options: FieldOptions & { values: readonly string[] }): PropertyDecorator =>
  field(enumRule(options.values), options);

/** True or false. */
export const BoolField = (options: FieldOptions = {}): PropertyDecorator => field(boolRule, options);

/** A point in time of an answer, ISO 8601 in UTC; documents only. */
export const TimeField = (options: FieldOptions = {}): PropertyDecorator =>
  document({ type: 'string', format: 'date-time' }, options);

/** The version of a resource, which its ETag repeats; documents only. */
export const VersionField = (): PropertyDecorator => document({ type: 'integer', minimum: 1 }, {});

const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);

/** An object of the fields of another class. */
export const NestedField =
  (dto: () => new () => object, options: FieldOptions = {}): PropertyDecorator =>
  (target, key) => {
    const judge: Judge = (value) =>
      isObject(value) ? null : { code: 'TYPE_INVALID', message: 'This must be an object.' };
    constrain(judge, options, { nested: dto })(target, key);
    ValidateNested()(target, key);
    Type(dto)(target, key);
    document({ type: dto }, options)(target, key);
  };

export interface ArrayBounds {
  /** Fewest items, 0 unless told. */
  readonly min?: number;
  readonly max: number;
}

const judgeLength = (value: unknown, { min = 0, max }: ArrayBounds): PlacedFault | null => {
  if (!Array.isArray(value)) return { code: 'TYPE_INVALID', message: 'This must be a list.' };
  if (value.length < min || value.length > max)
    return { code: 'OUT_OF_RANGE', message: `This must have from ${min} to ${max} items.` };
  return null;
};

/** A list of values under one rule (`rules.ts`), such as `ArrayField(idRule, { max: 50 })`. */
export const ArrayField =
  (rule: Rule, options: FieldOptions & ArrayBounds): PropertyDecorator =>
  (target, key) => {
    const judge: Judge = (value) => {
      const length = judgeLength(value, options);
      if (length) return length;
      for (const [index, item] of (value as unknown[]).entries()) {
        const found = rule.check(item);
        if (found) return { ...found, at: String(index) };
      }
      return null;
    };
    constrain(judge, options)(target, key);
    document(
      { type: 'array', items: rule.schema, minItems: options.min ?? 0, maxItems: options.max },
      options,
    )(target, key);
  };

/** A list of objects of the fields of another class. */
export const NestedArrayField =
  (dto: () => new () => object, options: FieldOptions & ArrayBounds): PropertyDecorator =>
  (target, key) => {
    const judge: Judge = (value) => {
      const length = judgeLength(value, options);
      if (length) return length;
      const odd = (value as unknown[]).findIndex((item) => item === null || !isObject(item));
      return odd < 0 ? null : { code: 'TYPE_INVALID', message: 'This must be an object.', at: String(odd) };
    };
    constrain(judge, options, { nested: dto })(target, key);
    ValidateNested({ each: true })(target, key);
    Type(dto)(target, key);
    document({ type: dto, isArray: true, minItems: options.min ?? 0, maxItems: options.max }, options)(
      target,
      key,
    );
  };
