import { startConsumer } from './consumer.js';
import { type House, kill, LEASE_MS } from './house.js';
import { startRelay } from './relay.js';
import type { Link, Proc } from './world.js';

/** Who is there to be struck. */
interface Cast {
  readonly batch: number;
  readonly consumerBatch: number;
  readonly consumers: Set<Proc>;
  readonly skew: () => number;
}

export interface Fault {
  readonly kind:
    | 'kill relay'
    | 'stop relay'
    | 'kill consumer'
    | 'stop consumer'
    | 'join'
    | 'leave'
    | 'database restart'
    | 'broker restart'
    | 'stranger'
    | 'impostor'
    | 'topic again'
    | 'record lost'
    | 'log cut';
  readonly at: number;
  readonly cast: Cast;
}

/** What a process has in hand when it goes on, it has sent by then. */
const IN_HAND_MS = 100;

/** What strangers leave in a topic. */
const RUBBISH = [null, '', 'no JSON', '{}', '[1]', '{"eventId":"x"}', 'null', '{"keySeq":-1}'];

/** Lets a fault happen. */
export function strike(house: House, { kind, cast }: Fault): void {
  const { world, db, log, watch } = house;
  const { random } = world;
  world.note(() => `fault: ${kind}`);
  if (!kind.includes('relay') && !kind.includes('consumer')) world.bit(kind);
  const partition = random.whole(0, log.partitions.length - 1);
  const end = log.end(partition);
  const relay = one(house, house.relays);
  const consumer = one(house, cast.consumers);
  switch (kind) {
    case 'kill relay':
      return relay && ambush(house, relay, log.appendLink, () => killRelay(house, cast, relay));
    case 'kill consumer':
      return consumer && ambush(house, consumer, db.link, () => killConsumer(house, cast, consumer));
    case 'stop relay':
      return relay && ambush(house, relay, log.appendLink, () => stop(house, relay));
    case 'stop consumer':
      return consumer && ambush(house, consumer, db.link, () => stop(house, consumer));
    case 'join':
      return join(house, cast, `consumer-joined-${Math.round(world.now)}`);
    case 'leave':
      if (cast.consumers.size < 2 || !consumer) return;
      cast.consumers.delete(consumer);
      consumer.leaving = true;
      return consumer.wake();
    case 'database restart':
      return db.restart(random.between(30, 500));
    case 'broker restart':
      log.downUntil = world.now + random.between(30, 800);
      return;
    case 'stranger':
      return log.foreign(partition, random.pick(RUBBISH), {});
    case 'impostor': {
      const taken = log.partitions.flatMap(({ entries }) =>
        entries.filter((entry) => entry?.told && watch.isTaken(entry.told)),
      );
      if (taken.length > 0)
        log.impostor(random.pick(taken)!, `30000000-0000-7000-8000-${padded(world.steps)}`);
      return;
    }
    case 'topic again': {
      const from = random.whole(0, end);
      return log.replay(partition, from, random.whole(from, end));
    }
    case 'record lost':
      if (random.chance(0.5)) log.afterAppend = (at) => log.lose(at, log.end(at) - 1);
      else if (end > 0) log.lose(partition, random.whole(0, end - 1));
      return;
    case 'log cut':
      // As when a leader is lost before its followers have what it acknowledged.
      log.afterAppend = (at) => log.cut(at, random.whole(1, 4));
  }
}

const padded = (number: number): string => String(number).padStart(12, '0');

function one({ world }: House, procs: ReadonlySet<Proc>): Proc | undefined {
  return procs.size > 0 ? world.random.pick([...procs]) : undefined;
}

/** Strikes within the process's next requests: of any kind, or of the one that hurts. */
function ambush({ world: { random } }: House, proc: Proc, link: Link, strike: () => void): void {
  proc.ambush = { left: random.whole(0, 3), of: random.chance(0.6) ? link : null, strike };
}

function killRelay(house: House, { skew, batch }: Cast, relay: Proc): void {
  const { world, relays } = house;
  if (!relays.delete(relay)) return;
  world.bit('relays killed');
  kill(house, relay);
  world.at(world.now + world.random.between(20, 600), () =>
    startRelay(house, `${relay.name}'`, skew(), batch),
  );
}

function killConsumer(house: House, cast: Cast, consumer: Proc): void {
  const { world } = house;
  if (!cast.consumers.delete(consumer)) return;
  world.bit('consumers killed');
  kill(house, consumer);
  world.at(world.now + world.random.between(20, 600), () => join(house, cast, `${consumer.name}'`));
}

/** SIGSTOP, and SIGCONT some time later: before the lease is over, or long after. */
function stop({ world, watch }: House, proc: Proc): void {
  world.bit('processes stopped');
  proc.pausedUntil = world.now + world.random.between(LEASE_MS / 5, LEASE_MS * 2);
  watch.belatedUntil = Math.max(watch.belatedUntil, proc.pausedUntil + IN_HAND_MS);
  world.note(() => `${proc.name} is stopped until ${proc.pausedUntil.toFixed(1)}`);
}

function join(house: House, { consumers, consumerBatch }: Cast, name: string): void {
  consumers.add(startConsumer(house, name, consumerBatch));
}
