import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PERMISSIONS } from '../../src/modules/identity/contract/permissions.js';
import { golden } from './golden-file.js';

const ROOT = join(import.meta.dirname, '../..');

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
}

interface Operation {
  readonly operationId?: string;
  readonly security?: readonly Record<string, unknown>[];
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema?: unknown }>> }>
  >;
  readonly 'x-permission'?: string;
}

interface Route {
  /** `POST /v1/reservations` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

describe('docs/openapi/tartware.json', () => {
  let text = '';
  let routes: Route[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'tartware-openapi-'));

  beforeAll(() => {
    const file = join(folder, 'openapi.json');
    const program = [
      '--import',
      join(ROOT, 'test/support/ts-hooks.mjs'),
      join(ROOT, 'src/export-openapi.ts'),
      file,
    ];
    // Whatever the environment names: nothing of it may show, and nothing of it is reached.
    const env = {
      PATH: process.env['PATH'],
      PORT: 'no port',
      DATABASE_URL: 'no address',
      KAFKA_BROKERS: 'no broker',
    };
    execFileSync(process.execPath, program, { cwd: folder, env });
    text = readFileSync(file, 'utf8');
    const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, Operation>> };
    routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method,
        path,
        operation,
      })),
    );
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Names of the routes for which `holds` is false. */
  const failing = (chosen: readonly Route[], holds: (route: Route) => boolean): string[] =>
    chosen.filter((route) => !holds(route)).map(({ name }) => name);

  const business = (): Route[] => routes.filter(({ path }) => path.startsWith('/v1/'));
  const header = ({ operation }: Route, name: string): Parameter | undefined =>
    operation.parameters?.find((parameter) => parameter.in === 'header' && parameter.name === name);

  test('is what the routes are now (when it is meant: npm run export:openapi)', () => {
    expect(text.split('\n')).toEqual(golden('docs/openapi/tartware.json', text).split('\n'));
  });

  test('every operation has an id of its own', () => {
    const ids = routes.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(ids).toEqual([...new Set(ids)]);
  });

  test('every operation under /v1 needs a token with a permission that exists; the probes need none', () => {
    const known = new Set<string | undefined>(PERMISSIONS);
    expect(business().length).toBeGreaterThan(0);
    expect(
      failing(
        business(),
        ({ operation }) => known.has(operation['x-permission']) && !!operation.security?.[0]?.['bearer'],
      ),
    ).toEqual([]);
    const others = routes.filter(({ path }) => !path.startsWith('/v1/'));
    expect(
      failing(others, ({ path, operation }) => path.startsWith('/health/') && !operation.security),
    ).toEqual([]);
  });

  test('every operation documents what it answers, and that it may refuse', () => {
    const answered = ({ operation: { responses } }: Route): boolean =>
      Object.entries(responses).some(
        ([status, { content }]) => /^2\d\d$/.test(status) && !!content?.['application/json']?.schema,
      );
    expect(failing(business(), answered)).toEqual([]);
    expect(failing(routes, ({ operation }) => 'default' in operation.responses)).toEqual([]);
  });

  test('every mutation takes an Idempotency-Key; every PATCH and PUT needs If-Match', () => {
    const mutations = business().filter(
      ({ name, method }) => method !== 'get' && name !== 'POST /v1/reservations/quote',
    );
    expect(failing(mutations, (route) => header(route, 'Idempotency-Key')?.required === true)).toEqual([]);
    const edits = mutations.filter(({ method }) => method === 'patch' || method === 'put');
    expect(failing(edits, (route) => header(route, 'If-Match')?.required === true)).toEqual([]);
  });

  test('every parameter of a path is documented, and no other', () => {
    const inPath = (path: string): string[] =>
      [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort();
    const documented = ({ operation }: Route): string[] =>
      (operation.parameters ?? [])
        .filter((parameter) => parameter.in === 'path')
        .map(({ name }) => name)
        .sort();
    expect(routes.map((route) => [route.name, documented(route)])).toEqual(
      routes.map(({ name, path }) => [name, inPath(path)]),
    );
  });

  test('every reference leads to a schema, and every schema is used', () => {
    const document = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
    const used = [...text.matchAll(/"\$ref": "#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!);
    expect([...new Set(used)].sort()).toEqual(Object.keys(document.components.schemas).sort());
  });
});
