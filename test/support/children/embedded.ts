import { joinEmbedded, startEmbedded } from '../../../src/platform/database/embedded/embedded-postgres.js';

/**
 * `embedded.ts start|join <home>`: brings the server up as its own process, prints one line of JSON, leaves on SIGTERM.
 * Tests kill it as a machine would.
 */
const [verb, home = ''] = process.argv.slice(2);
const heartbeat = setInterval(() => undefined, 60_000);
try {
  const database = await (verb === 'join' ? joinEmbedded(home) : startEmbedded({ home }));
  process.on('SIGTERM', () => void database.stop().then(() => clearInterval(heartbeat)));
  process.stdout.write(`${JSON.stringify({ ...database, by: process.pid })}\n`);
} catch (error) {
  process.stdout.write(
    `${JSON.stringify({ name: (error as Error).name, message: (error as Error).message })}\n`,
  );
  clearInterval(heartbeat);
}
