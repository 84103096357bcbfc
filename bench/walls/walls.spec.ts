import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { WALLS, without, type Wall } from './walls.js';

const sourceOf = (module: string): string =>
  readFileSync(resolve(import.meta.dirname, '../../src', `${module}.ts`), 'utf8');

describe('a build without a wall', () => {
  it.each(
    Object.entries(WALLS).flatMap(([wall, modules]) => Object.keys(modules).map((name) => [wall, name])),
  )('the %s: what is replaced stands once in %s', (wall, name) => {
    const source = sourceOf(name);
    expect(without(wall as Wall, name, source)).not.toBe(source);
  });

  it('writes no audit row, and gives its parameters types all the same', () => {
    const name = 'modules/outbox/contract/append-changes';
    const text = without('audit row', name, sourceOf(name));
    expect(text).not.toContain('INSERT INTO audit_log');
    expect(text).toContain('audited AS (\n    SELECT FROM ${AUDIT_ROWS.from(');
  });

  it('has every other module as it is', () =>
    expect(without('audit row', 'main', 'auditOf')).toBe('auditOf'));

  it.each([
    ['0', ''],
    ['2', "set_config('app.tenant_id', $1, true) set_config('app.tenant_id', $1, true)"],
  ])('is refused where what is replaced is there %s times', (times, source) =>
    expect(() => without('tenant scope', 'platform/database/tenant-scope', source)).toThrow(
      `is there ${times} times`,
    ),
  );
});
