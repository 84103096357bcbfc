import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  ArrayField,
  BoolField,
  DateField,
  EnumField,
  fieldsOf,
  IdField,
  IntField,
  NestedArrayField,
  NestedField,
  TextField,
} from './fields.js';
import { PageQuery } from './pagination.js';
import { intRule } from './rules.js';
import { soundInput } from './sound-input.js';
import { judgedInput } from './validation.js';

class Price {
  @IntField({ min: 0, max: 10, optional: true })
  amount?: number;

  @ArrayField(intRule(0, 5), { optional: true, max: 2 })
  each?: number[];

  @TextField({ max: 5 })
  reason!: string;
}

class Stay {
  @IdField()
  id!: string;

  @DateField({ nullable: true })
  arrival!: string | null;

  @BoolField({ optional: true })
  dayUse = false;

  @NestedField(() => Price, { optional: true, nullable: true })
  price?: Price | null;

  @NestedArrayField(() => Price, { optional: true, min: 1, max: 3 })
  prices?: Price[];
}

class LongStay extends Stay {
  @EnumField({ values: ['A', 'B'] })
  kind!: string;
}

class Search extends PageQuery {
  @BoolField({ optional: true, query: true })
  open?: boolean;

  @TextField({ optional: true, max: 3 })
  code?: string;
}

class Empty {}

const ID = '0190a000-0000-7000-8000-000000000001';
const VALUES = [ID, '2026-03-01', true, 'A', '7', 'true', 'abc', 3, null, [], [1], 3.5, -1, '', '\u0000', {}];

/** Objects of the fields of a class, mostly with sound values, in any order, now and then with a field too many. */
const objectsOf = (dto: new () => object, depth = 2): fc.Arbitrary<object> => {
  const entries = [...fieldsOf(dto)].map(([key, { judge, parse, nested }]) => {
    const sound = VALUES.filter(
      (value) => judge(parse && typeof value === 'string' ? parse(value) : value) === null,
    );
    const good: fc.Arbitrary<unknown>[] = [];
    if (!nested && sound.length > 0) good.push(fc.constantFrom(...sound));
    if (nested && depth > 0) {
      const inner = objectsOf(nested(), depth - 1);
      good.push(judge([{}]) === null ? fc.array(inner, { minLength: 1, maxLength: 3 }) : inner);
    }
    const value = fc.oneof(
      { weight: 30, arbitrary: good.length > 0 ? fc.oneof(...good) : fc.constantFrom(...VALUES) },
      { weight: 1, arbitrary: fc.constantFrom(...VALUES) },
    );
    const absent = judge(undefined) === null ? 4 : 40;
    return fc.option(value, { nil: undefined, freq: absent }).map((one) => [key, one] as const);
  });
  return fc
    .tuple(fc.tuple(...entries), fc.boolean(), fc.constantFrom(...Array<null>(40).fill(null), 'extra'))
    .map(([pairs, backwards, extra]) => {
      const all = pairs.filter(([, value]) => value !== undefined);
      if (extra) all.push([extra, 1]);
      return Object.fromEntries(backwards ? all.reverse() : all);
    });
};

const judged = (dto: new () => object, given: object): object | null => {
  try {
    return judgedInput(dto, given, 'body');
  } catch {
    return null;
  }
};

describe('input without reflection', () => {
  it.each<new () => object>([LongStay, Stay, Search, Price])(
    'is what class-validator makes of it, or left to it: %p',
    (dto) => {
      const seen = { sound: 0, faulty: 0 };
      fc.assert(
        fc.property(objectsOf(dto), (given) => {
          const swift = soundInput(dto, given);
          const slow = judged(dto, given);
          seen[slow ? 'sound' : 'faulty'] += 1;
          expect(swift).toStrictEqual(slow);
          expect(JSON.stringify(swift)).toBe(JSON.stringify(slow));
        }),
        { numRuns: 500 },
      );
      // Else the comparison says nothing.
      expect(Math.min(seen.sound, seen.faulty)).toBeGreaterThan(15);
    },
  );

  it('leaves a class without fields, and a field that a prototype has, to class-validator', () => {
    expect(soundInput(Empty, {})).toBeNull();
    expect(soundInput(Price, JSON.parse('{"reason":"x","__proto__":{"amount":1}}') as object)).toBeNull();
  });
});
