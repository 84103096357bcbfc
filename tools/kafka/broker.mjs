// A real Kafka broker on this machine, without Docker: Java and Maven suffice. A library for `main.mjs` and for tests.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/** Where everything of the local broker lives unless told otherwise; in .gitignore. */
export const KAFKA_HOME = resolve(HERE, '../../.kafka');

/** A fault that the person at the keyboard can mend; its message says how. */
export class BrokerError extends Error {
  name = 'BrokerError';
}

/** How long a broker may take to start or stop, ms: about 3 s is usual, a loaded machine takes longer. */
const PATIENCE_MS = 90_000;

/**
 * Makes sure of Java and of the jars, which Maven downloads once (43 MB); answers the folder of the jars.
 * @param {{ home?: string, report?: (line: string) => void }} [options]
 */
export function prepare({ home = KAFKA_HOME, report = () => undefined } = {}) {
  requireTool(
    'java',
    ['-version'],
    'Kafka needs Java 17 or later: install a JRE (Debian: apt install openjdk-17-jre-headless)',
  );
  const jars = join(home, 'jars');
  const pom = join(HERE, 'pom.xml');
  const marker = join(jars, '.complete');
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === version) return jars;
  requireTool(
    'mvn',
    ['-version'],
    'Kafka comes by Maven: install it (Debian: apt install maven), once; the jars are kept',
  );
  report('downloading Kafka by Maven, once');
  // Into a folder beside and renamed when whole: an interrupted download leaves no half set of jars behind.
  const fresh = `${jars}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  const args = [
    '-q',
    '-B',
    '-f',
    pom,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${fresh}`,
    '-DincludeScope=runtime',
  ];
  const { status, stdout, stderr } = spawnSync('mvn', args, { encoding: 'utf8' });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new BrokerError(`Maven could not fetch Kafka:\n${(stdout + stderr).trim().slice(-2_000)}`);
  }
  writeFileSync(join(fresh, '.complete'), version);
  rmSync(jars, { recursive: true, force: true });
  renameSync(fresh, jars);
  return jars;
}

/**
 * Starts a broker (and its controller, in one process) on 127.0.0.1 and resolves when it serves. Its data stay in `dir`: the next start
 * on the same folder finds them.
 * @param {{ dir: string, port: number, controllerPort?: number, overrides?: Record<string, string>, jars?: string }} options
 */
export async function startBroker({
  dir,
  port,
  controllerPort = port + 1,
  overrides = {},
  jars = prepare(),
}) {
  for (const each of [port, controllerPort]) await requireFree(each, dir);
  mkdirSync(dir, { recursive: true });
  const properties = join(dir, 'server.properties');
  writeFileSync(properties, serverProperties({ dir, port, controllerPort, overrides }));
  writeFileSync(join(dir, 'log4j2.xml'), LOG4J);
  const java = [
    '-Xmx512m',
    '-Xms128m',
    `-Dlog4j2.configurationFile=${join(dir, 'log4j2.xml')}`,
    '-cp',
    join(jars, '*'),
  ];
  if (!existsSync(join(dir, 'data', 'meta.properties'))) format(java, properties);
  const child = spawn('java', [...java, 'kafka.Kafka', properties], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((done) => child.once('exit', done));
  await ready(child);
  writeFileSync(join(dir, 'broker.pid'), String(child.pid));
  const end = async (signal) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    // A broker that hangs in its shutdown would hang whoever waits for it.
    const last = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await exited;
    clearTimeout(last);
    rmSync(join(dir, 'broker.pid'), { force: true });
  };
  return {
    pid: child.pid,
    port,
    brokers: `127.0.0.1:${port}`,
    /** Resolves when the process is gone, by whatever cause. */
    exited,
    /** Shuts down in order. */
    stop: () => end('SIGTERM'),
    /** As a power cut does it. */
    kill: () => end('SIGKILL'),
  };
}

/** Resolves with the broker's ready line; rejects with its last words. */
function ready(child) {
  return new Promise((resolvePromise, reject) => {
    let said = '';
    const fail = (why) =>
      reject(new BrokerError(`Kafka did not start (${why}):\n${said.trim().slice(-3_000)}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`not within ${PATIENCE_MS / 1_000} s`);
    }, PATIENCE_MS);
    const hear = (data) => {
      said = (said + data).slice(-20_000);
      if (!said.includes('Kafka Server started')) return;
      clearTimeout(timer);
      resolvePromise();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(signal ?? `exit ${code}`);
    });
  });
}

function format(java, properties) {
  // Kafka's own form of an id: 16 bytes in URL-safe base64; one that begins with a dash would read as an option.
  const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const { status, stdout, stderr } = spawnSync(
    'java',
    [...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', properties],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0)
    throw new BrokerError(
      `Kafka's storage could not be formatted:\n${(stdout + stderr).trim().slice(-2_000)}`,
    );
}

function serverProperties({ dir, port, controllerPort, overrides }) {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '500',
    ...overrides,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Quiet but for faults and the line that we wait for. */
const LOG4J = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
`;

function requireTool(command, args, advice) {
  const { error } = spawnSync(command, args, { stdio: 'ignore' });
  if (error) throw new BrokerError(`${command} was not found. ${advice}`);
}

/** @throws BrokerError when something listens on the port already */
function requireFree(port, dir) {
  return new Promise((free, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      const file = join(dir, 'broker.pid');
      const mine = existsSync(file)
        ? `; the broker of ${dir} runs as process ${readFileSync(file, 'utf8')}`
        : '';
      reject(
        new BrokerError(
          `port ${port} is in use${mine}. Stop what listens there, or take another: npm run kafka -- --port <port>`,
        ),
      );
    });
    socket.once('error', () => free());
  });
}
