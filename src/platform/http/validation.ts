import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { DomainError, invalid, type FieldError } from '../kernel/errors.js';
import { FIELD_CONSTRAINT, type PlacedFault } from './fields.js';
import { refuseHostileShape, shown } from './input-guard.js';
import { idRule } from './rules.js';
import { soundInput } from './sound-input.js';

/** Details given back at most: enough to mend a form, too few to make a large answer out of a large body. */
const MAX_DETAILS = 50;

const PRIMITIVES: readonly unknown[] = [String, Boolean, Number, Array, Object, Date, Buffer];

/** 400 with the code of the first fault, and all of them as details. */
export function validationError(details: readonly FieldError[]): DomainError {
  const first = details[0] ?? { path: '', code: 'VALIDATION', message: 'The request is not valid.' };
  const message = first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return new DomainError(first.code, 'VALIDATION', message, details.slice(0, MAX_DETAILS));
}

/**
 * The global pipe: makes the class of a `@Body()` or `@Query()` out of what came, checks every field and refuses every
 * field that the class hasn't. Nothing is converted but what a field of a query says.
 * @throws DomainError with one code per cause (FIELD_REQUIRED, UNKNOWN_FIELD, TYPE_INVALID, …), 400
 */
export class InputPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || !metatype || PRIMITIVES.includes(metatype)) return value;
    return checkInput(metatype as new () => object, value, type);
  }
}

/** As the pipe, for input that comes another way. */
export function checkInput<T extends object>(
  dto: new () => T,
  value: unknown,
  part: 'body' | 'query' = 'body',
): T {
  const given = value ?? (value === undefined ? {} : null);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('TYPE_INVALID', '', `The ${part} must be an object.`);
  // A body was looked at by the parser already, before anything else touched it.
  if (part === 'query') refuseHostileShape(given);
  return soundInput(dto, given) ?? judgedInput(dto, value, part);
}

/** As `checkInput`, by class-validator: the reference, and the one that says what is wrong. */
export function judgedInput<T extends object>(dto: new () => T, value: unknown, part: 'body' | 'query'): T {
  const given = value ?? {};
  const input = plainToInstance(
    dto,
    { ...given },
    { exposeDefaultValues: true, enableImplicitConversion: false },
  );
  const errors = validateSync(input, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  });
  if (errors.length === 0) return input;
  if (value === undefined && part === 'body') throw invalid('BODY_REQUIRED', '', 'This needs a body.');
  const details: FieldError[] = [];
  collect(errors, '', details);
  throw validationError(details);
}

function collect(errors: readonly ValidationError[], parent: string, into: FieldError[]): void {
  for (const error of errors) {
    if (into.length >= MAX_DETAILS) return;
    const path = parent === '' ? shown(error.property) : `${parent}.${shown(error.property)}`;
    const fault = faultOf(error.constraints ?? {});
    if (fault) {
      const { at, code, message } = fault;
      into.push({ path: at === undefined ? path : `${path}.${at}`, code, message });
    } else collect(error.children ?? [], path, into);
  }
}

function faultOf(constraints: Record<string, string>): PlacedFault | null {
  const own = constraints[FIELD_CONSTRAINT];
  if (own !== undefined) return JSON.parse(own) as PlacedFault;
  if ('whitelistValidation' in constraints)
    return { code: 'UNKNOWN_FIELD', message: 'There is no such field.' };
  if (Object.keys(constraints).length > 0)
    return { code: 'TYPE_INVALID', message: 'This has the wrong type.' };
  return null;
}

/** An id in the path: malformed is 400 ID_INVALID; whether it exists is the query's matter (404). */
export class IdPipe implements PipeTransform {
  constructor(private readonly name: string) {}

  transform(value: unknown): string {
    const fault = idRule.check(value);
    if (fault) throw invalid(fault.code, this.name, fault.message);
    return value as string;
  }
}
