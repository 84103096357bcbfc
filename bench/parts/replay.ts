import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataFile, readText } from '../../test/support/hotel-file.js';
import { dataIsThere, type Summary } from '../../test/support/replay.js';
import { Installation, type Env } from '../../test/support/service.js';
import type { Bed } from '../bed.js';
import type { Part } from '../measure.js';
import { inRounds } from '../rounds.js';

/** Of every type: as many as the hotel had. */
const ROOMS = 187;
const QUICK_ROWS = 3_000;

/** The first rows of the file, in a file of its own. */
async function beginningOf(bed: Bed, path: string): Promise<string> {
  const { header, lines } = readText(path);
  const file = join(bed.home, 'bookings.csv');
  await writeFile(file, [header, ...lines.slice(0, QUICK_ROWS), ''].join('\n'), 'latin1');
  return file;
}

/** `tartware replay` on an installation of its own. @throws Error when an event wasn't applied */
async function replayed(file: string, env: Env): Promise<Summary> {
  const inst = await Installation.create(env, { disk: true });
  try {
    await inst.json(['seed']);
    const args = ['replay', 'hotel-bookings', file, '--property', 'RESORT', '--rooms', String(ROOMS)];
    const summary = await inst.json<Summary>(args);
    if (summary.pending > 0 || summary.deadLettered > 0)
      throw new Error(`a replay that left something behind: ${JSON.stringify(summary)}`);
    return summary;
  } finally {
    await inst.dispose();
  }
}

/** The bookings of a real hotel through the command line, to the last event applied; each round from an empty database. */
export const replay: Part = async (bed, { quick, say }) => {
  if (!dataIsThere()) return {};
  const file = quick ? await beginningOf(bed, dataFile()) : dataFile();
  let rounds = 0;
  const kafka = async (): Promise<Env> => {
    const name = `bench-replay-${process.pid}-${++rounds}`;
    return {
      KAFKA_BROKERS: await bed.brokers(),
      RESERVATION_TOPIC: name,
      RESERVATION_DLQ_TOPIC: `${name}.dlq`,
      KAFKA_CONSUMER_GROUP: name,
    };
  };
  const round = async (): Promise<Record<string, number>> => {
    const figures: Record<string, number> = {};
    for (const [log, env] of [
      ['embedded', {}],
      ['Kafka', await kafka()],
    ] as const) {
      const { commands, commandsPerSecond, seconds } = await replayed(file, env);
      say(`${log}: ${commands} commands, ${seconds} s in all`);
      figures[`commands/s, ${log}`] = commandsPerSecond;
    }
    return figures;
  };
  const units = { 'commands/s, embedded': 'commands/s', 'commands/s, Kafka': 'commands/s' };
  return inRounds(units, [{ name: 'ours', round }], { rounds: quick ? 1 : 2, warmUp: false, say });
};
