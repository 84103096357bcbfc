import { type DeclaredField, fieldsOf } from './fields.js';

type Class<T extends object> = new () => T;

const known = new WeakMap<Class<object>, ReadonlyMap<string, DeclaredField>>();

/**
 * The instance of `dto` that class-transformer would make of sound input, by the same declarations and rules, without
 * reflection: that costs as much a request as everything else that Nest does. Null: something is wrong with it, and it is for
 * class-validator to say what.
 */
export function soundInput<T extends object>(dto: Class<T>, given: object): T | null {
  let fields = known.get(dto);
  if (!fields) known.set(dto, (fields = fieldsOf(dto)));
  if (fields.size === 0) return null;
  const input = new dto() as Record<string, unknown>;
  for (const [key, value] of Object.entries(given as Record<string, unknown>)) {
    const field = fields.get(key);
    if (!field) return null;
    const read = field.parse && typeof value === 'string' ? field.parse(value) : value;
    if (field.judge(read) !== null) return null;
    const whole = field.nested ? nestedIn(field.nested(), read) : read;
    if (field.nested && whole === null) return null;
    input[key] = whole;
  }
  for (const [key, { judge }] of fields)
    if (!Object.hasOwn(given, key) && judge(input[key]) !== null) return null;
  return input as T;
}

/** The object or the list of objects in a field that was judged; null when something in it is wrong, or it is. */
function nestedIn(dto: Class<object>, value: unknown): unknown {
  if (!Array.isArray(value)) return value == null ? value : soundInput(dto, value);
  const items = value.map((item) => soundInput(dto, item as object));
  return items.includes(null) ? null : items;
}
