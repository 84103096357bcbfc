import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Bed } from '../bed.js';
import { pgbenchVersion } from '../peers/pgbench.js';
import type { Stamp } from './results.js';

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGES = [
  ...['@nestjs/core', 'fastify', 'typeorm', 'pg', 'kafkajs'],
  ...['graphile-worker', 'pg-boss', 'pg-transactional-outbox'],
];
const GB = 2 ** 30;

const git = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)('git', args, { cwd: ROOT })).stdout.trim();

const packageVersion = (name: string): string =>
  (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string })
    .version;

/** The broker that the bench starts is the one of tools/kafka. */
const kafkaVersion = (): string =>
  /<artifactId>kafka_[\d.]+<\/artifactId>\s*<version>([^<]+)</.exec(
    readFileSync(join(ROOT, 'tools/kafka/pom.xml'), 'utf8'),
  )![1]!;

/** What a run is measured under. */
export async function stampOf(bed: Bed, quick: boolean): Promise<Stamp> {
  const [server] = await bed.sql<{ version: string }>(`SELECT current_setting('server_version') AS version`);
  const processors = cpus();
  const pgbench = await pgbenchVersion();
  return {
    date: `${new Date().toISOString().slice(0, 16)}Z`,
    commit: await git('rev-parse', '--short=12', 'HEAD'),
    dirty:
      (await git(
        'status',
        '--porcelain',
        '--',
        ':!bench/RESULTS.md',
        ':!bench/results.json',
        ':!bench/plots',
      )) !== '',
    quick,
    machine: `${processors[0]?.model ?? 'unknown'}, ${processors.length} cores, ${Math.round(totalmem() / GB)} GB, ${type()} ${release()}`,
    versions: {
      Node: process.versions.node,
      PostgreSQL: server!.version,
      Kafka: process.env['KAFKA_BROKERS'] ? 'of KAFKA_BROKERS' : kafkaVersion(),
      ...(pgbench === null ? {} : { pgbench }),
      ...Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(name)])),
    },
  };
}
