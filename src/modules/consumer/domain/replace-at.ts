import { conflict } from '../../../platform/kernel/errors.js';

/**
 * An object with another value at a path (`previous.nightlyMinor.0`). Only what is there is replaced: a mistyped path would
 * else add a field that nobody reads.
 * @throws DomainError PATH_NOT_THERE
 */
export function replaceAt(
  object: Record<string, unknown>,
  path: string,
  value: unknown,
): Record<string, unknown> {
  const copy = structuredClone(object);
  const names = path.split('.');
  const last = names.pop()!;
  let place: unknown = copy;
  for (const name of names) place = step(place, name, path);
  step(place, last, path);
  (place as Record<string, unknown>)[last] = value;
  return copy;
}

function step(place: unknown, name: string, path: string): unknown {
  if (typeof place !== 'object' || place === null || !Object.hasOwn(place, name))
    throw conflict('PATH_NOT_THERE', `The data have nothing at ${path}.`);
  return (place as Record<string, unknown>)[name];
}
