import { Backfill } from '../../../src/modules/maintenance/backfill/backfill.js';
import { withOwnerSession } from '../../../src/platform/database/owner-session.js';

// A backfill that can be killed: one line of JSON for each step of it.
const [ownerUrl = '', table = '', column = '', batch = ''] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const done = await withOwnerSession(ownerUrl, (session) =>
  new Backfill(session, { table, column, batch: Number(batch) }, say).run(),
);
say({ done });
