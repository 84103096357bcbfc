// npm run kafka [-- --port 9092 --dir .kafka]: a local Kafka broker with Tartware's topics, until Ctrl-C. Topic names, partitions and
// sizes are those of the configuration (RESERVATION_TOPIC …); run it with the environment that the service gets.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BrokerError, KAFKA_HOME, prepare, startBroker } from './broker.mjs';

const BUILT = resolve(dirname(fileURLToPath(import.meta.url)), '../../dist/src/platform');

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9092' },
      'controller-port': { type: 'string' },
      dir: { type: 'string', default: KAFKA_HOME },
    },
  });
  const port = portOf(values.port);
  const controllerPort =
    values['controller-port'] === undefined ? port + 1 : portOf(values['controller-port']);
  if (!existsSync(join(BUILT, 'event-log/kafka/kafka-event-log.js')))
    throw new BrokerError('the build is missing: npm run build');
  const dir = resolve(values.dir);
  const jars = prepare({ home: dir, report: (line) => console.error(line) });
  // The first signal may come while the broker starts: it is remembered, and ends it as soon as it can end in order.
  let stop;
  const asked = new Promise((done) => (stop = done));
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const broker = await startBroker({ dir: join(dir, 'broker'), port, controllerPort, jars });
  try {
    const topics = await provision(broker.brokers);
    console.log(`Kafka ready on ${broker.brokers} (topics ${topics.join(', ')})`);
    const code = await Promise.race([asked.then(() => null), broker.exited.then((exit) => exit ?? 1)]);
    if (code !== null) throw new BrokerError('the broker has ended by itself');
  } finally {
    await broker.stop();
  }
}

async function provision(brokers) {
  const { loadConfig } = await import(join(BUILT, 'config/config.js'));
  const { KafkaEventLog } = await import(join(BUILT, 'event-log/kafka/kafka-event-log.js'));
  const config = loadConfig();
  const topics = [config.topic, config.dlqTopic];
  const log = new KafkaEventLog({ brokers: [brokers], sink: { warn: console.error, error: console.error } });
  try {
    await log.provision(
      topics.map((name) => ({
        name,
        partitions: config.topicPartitions,
        retentionMs: config.topicRetentionMs,
        maxMessageBytes: config.maxMessageBytes,
      })),
    );
  } finally {
    await log.close();
  }
  return topics;
}

function portOf(text) {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_535) return port;
  throw new BrokerError(`${JSON.stringify(text)} is no port`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof BrokerError ? error.message : error);
  process.exitCode = 1;
}
