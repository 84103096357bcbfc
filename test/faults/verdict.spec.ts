import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import { DeadLetterOperations } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import { executeList } from '../../src/modules/reservations/commands/execute-list.js';
import type { ReservationCommand } from '../../src/modules/reservations/domain/commands.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { clerkOf, creationIn, jobOf, moveOf } from '../support/fixtures.js';
import { ask } from '../support/house-sql.js';
import { ReliablePath, TOPIC } from '../support/reliable-path.js';
import { Tail } from './tail.js';
import { judge, type Verdict } from './verdict.js';

const KEYS = 5;
/** Created, cancelled, reinstated. */
const VERSIONS = 3;
const CLEAN: Verdict = {
  acknowledged: KEYS * VERSIONS,
  applied: KEYS * VERSIONS,
  lost: 0,
  twice: 0,
  inverted: 0,
  orphaned: 0,
  unlikeRecount: 0,
  notReplayable: 0,
  deadLetters: 0,
  duplicatesDelivered: 0,
};

/** Planted into a run without a fault, each broken promise has to show, or the zeros of a drill say nothing. */
describe('the verdict of a drill', () => {
  let path: ReliablePath;
  let tail: Tail;
  let told: Map<string, { id: string; version: number }>;

  beforeEach(async () => {
    path = await ReliablePath.open();
    tail = new Tail();
    told = new Map();
    for (let n = 0; n < KEYS; n += 1) {
      const id = newId();
      await command(creationIn(path.house, { reservationId: id }));
      await command(moveOf('cancel', id));
      await command(moveOf('reinstate', id));
      told.set(id, { id, version: VERSIONS });
    }
  });

  afterEach(() => path.close());

  const command = async (one: ReservationCommand): Promise<void> => {
    const [outcome] = await executeList(path.uow, path.house.tenantId, [jobOf(clerkOf(path.house), one)]);
    expect(outcome).toMatchObject({ status: one.kind === 'create' ? 201 : 200 });
  };
  const apply = async (): Promise<void> => {
    await path.drain();
    await path.consume(path.consumer());
    for (let partition = 0; partition < 8; partition += 1) {
      const batch = path.store.records(TOPIC).filter((record) => record.partition === partition);
      if (batch.length > 0) await tail.batch(path.batch(batch));
    }
  };
  const verdict = (): Promise<Verdict> =>
    judge(path.db.superUrl, { told, acknowledged: KEYS * VERSIONS }, tail);
  const plant = (text: string): Promise<object[]> => ask(path.db.superUrl, text);
  const anyone = (): { id: string; version: number } => [...told.values()][0]!;

  it('is clean where nothing was done', async () => {
    await apply();
    expect(await verdict()).toEqual(CLEAN);
  });

  it('tells of events that vanished from the queue: lost, and orphaned', async () => {
    await plant(`DELETE FROM outbox_queue WHERE aggregate_id = '${anyone().id}'`);
    await apply();
    const applied = CLEAN.applied - VERSIONS;
    expect(await verdict()).toMatchObject({ applied, lost: VERSIONS, orphaned: VERSIONS, twice: 0 });
  });

  it('tells of events that were counted as applied and had no effect', async () => {
    await apply();
    await plant(`UPDATE occupancy_nights SET booked_rooms = booked_rooms - 1`);
    expect(await verdict()).toEqual({ ...CLEAN, unlikeRecount: 1 });
  });

  it('tells of a request that was acknowledged and is nowhere', async () => {
    const id = newId();
    told.set(id, { id, version: 1 });
    await apply();
    expect(await verdict()).toMatchObject({ lost: 2, orphaned: 0 });
  });

  it('tells of an event that was applied twice', async () => {
    await apply();
    await plant(
      `INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
       SELECT tenant_id, aggregate_id, key_seq, occurred_at + interval '1 s', event_id, consumed_at FROM event_inbox
        WHERE aggregate_id = '${anyone().id}' AND key_seq = 1`,
    );
    expect(await verdict()).toMatchObject({ lost: 0, twice: 1 });
  });

  it('tells of a retried request that was carried out again', async () => {
    await command(creationIn(path.house));
    await command(moveOf('cancel', anyone().id));
    await apply();
    expect(await verdict()).toMatchObject({ lost: 0, twice: 2 });
  });

  it('tells of events applied before an earlier one of their key', async () => {
    await apply();
    // No role may rewrite a checkpoint, the superuser's included: the trigger has to sleep for it.
    await plant(`ALTER TABLE event_inbox DISABLE TRIGGER USER`);
    await plant(`UPDATE event_inbox SET applied_at = applied_at - interval '1 h' WHERE key_seq = 2`);
    expect(await verdict()).toEqual({ ...CLEAN, inverted: KEYS });
  });

  it('tells of events that the log got in the wrong order, and not of those it got again', async () => {
    await apply();
    const records = path.store.records(TOPIC).filter(({ key }) => key === anyone().id);
    const [partition, end] = [records[0]!.partition, 1_000n];
    const handed = [...records, ...records].map((record, n) => ({ ...record, offset: end + BigInt(n) }));
    await tail.batch({ ...path.batch(handed), partition });
    expect(await verdict()).toEqual({ ...CLEAN, duplicatesDelivered: 2 * VERSIONS });
    const backwards = new Tail();
    await backwards.batch(
      path.batch(records.toReversed().map((record, n) => ({ ...record, offset: BigInt(n) }))),
    );
    expect(backwards.inversions).toBe(VERSIONS - 1);
  });

  it('tells of dead letters that were not replayed, and of events of ours that were only skipped', async () => {
    const skipAll = (): Promise<unknown> =>
      new DeadLetterOperations(path.work).skip(
        { ctx: path.ctx, reason: 'test', dryRun: false },
        { statuses: ['DEAD', 'PARKED'], limit: 100 },
      );
    const [own, stranger] = [anyone().id, newId()];
    const picky: Projector = {
      name: 'picky',
      apply: async (_tx, events) => {
        if (events.some(({ aggregateId, keySeq }) => aggregateId === own && keySeq === VERSIONS))
          throw new TypeError('a defect');
      },
    };
    await path.drain();
    path.store.write(TOPIC, [{ partition: 0, key: stranger, value: Buffer.from('no event'), headers: {} }]);
    await path.consume(path.consumer({ projectors: [picky] }));
    expect(await verdict()).toMatchObject({ deadLetters: 2, notReplayable: 2, orphaned: 0 });
    await skipAll();
    expect(await verdict()).toMatchObject({ deadLetters: 2, notReplayable: 1, lost: 1 });
  });
});
