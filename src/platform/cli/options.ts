import { InvalidArgumentError } from 'commander';
import { isIsoDate, type IsoDate } from '../kernel/dates.js';
import { isUuid } from '../kernel/ids.js';
import { CliError, EXIT } from './exit-codes.js';

/** @throws InvalidArgumentError (exit code 2) unless `text` is a whole number of `[min, max]` */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };

/** @throws InvalidArgumentError (exit code 2) unless `text` is one of `values`: nest-commander's own parser undoes `choices` */
export const oneOf =
  <T extends string>(values: readonly T[]) =>
  (text: string): T => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
    return found;
  };

/** @throws InvalidArgumentError (exit code 2) unless `text` matches */
export const matching =
  (pattern: RegExp, wanted: string) =>
  (text: string): string => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`It must be ${wanted}.`);
    return text;
  };

/** @throws InvalidArgumentError (exit code 2) unless `text` is a day that exists */
export function dateOption(text: string): IsoDate {
  if (!isIsoDate(text)) throw new InvalidArgumentError('It must be a day that exists, as YYYY-MM-DD.');
  return text;
}

/** Seconds of `90s`, `15m`, `8h`, `30d`. @throws InvalidArgumentError (exit code 2) */
export function durationOption(text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  const seconds =
    Number(match?.[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[(match?.[2] ?? 's') as 's' | 'm' | 'h' | 'd'];
  if (!match || seconds < 1 || seconds > 31_536_000)
    throw new InvalidArgumentError('It must be a time such as 90s, 15m, 8h or 30d, a year at most.');
  return seconds;
}

/** @throws InvalidArgumentError (exit code 2) unless `text` is a UUID */
export function idOption(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('It must be an id: 8-4-4-4-12 hexadecimal digits.');
  return text.toLowerCase();
}

/** Why an operator does something; kept in the audit log. @throws InvalidArgumentError (exit code 2) */
export function reasonOption(text: string): string {
  if (!/\S/.test(text) || text.length > 500)
    throw new InvalidArgumentError('It must say something, in 500 characters at most.');
  return text;
}

/**
 * What a command that changes much needs: a filter or `--all`, and a reason unless it is a dry run.
 * @throws CliError (exit code 2)
 */
export function requireIntent(
  given: { readonly all?: boolean; readonly reason?: string; readonly dryRun?: boolean },
  filters: number,
): void {
  if (filters === 0 && !given.all)
    throw new CliError('say which: a filter, or --all for everything', EXIT.usage);
  if (filters > 0 && given.all) throw new CliError('a filter and --all contradict each other', EXIT.usage);
  if (!given.dryRun && given.reason === undefined)
    throw new CliError('say why: --reason "<text>", which the audit log keeps', EXIT.usage);
}
