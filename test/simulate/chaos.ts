import { startConsumer } from './consumer.js';
import { type House, kill, LEASE_MS } from './house.js';
import { startRelay } from './relay.js';
import type { Proc } from './world.js';

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
    | 'topic again'
    | 'record lost'
    | 'log cut'
    | 'key swallowed';
  readonly at: number;
  readonly cast: Cast;
}

/** What strangers leave in a topic. */
const RUBBISH = [null, '', 'no JSON', '{}', '[1]', '{"eventId":"x"}', 'null', '{"keySeq":-1}'];

/** Lets a fault happen. */
export function strike(house: House, { kind, cast }: Fault): void {
  const { world, db, log } = house;
  const { random } = world;
  world.note(() => `fault: ${kind}`);
  const partition = random.whole(0, log.partitions.length - 1);
  const end = log.end(partition);
  const relay = one(house, house.relays);
  const consumer = one(house, cast.consumers);
  switch (kind) {
    case 'kill relay':
      if (!relay) return;
      kill(house, relay);
      house.relays.delete(relay);
      return world.at(world.now + random.between(20, 600), () =>
        startRelay(house, `${relay.name}'`, cast.skew(), cast.batch),
      );
    case 'kill consumer':
      if (!consumer) return;
      kill(house, consumer);
      cast.consumers.delete(consumer);
      return world.at(world.now + random.between(20, 600), () => join(house, cast, `${consumer.name}'`));
    case 'stop relay':
      return relay && stop(house, relay);
    case 'stop consumer':
      return consumer && stop(house, consumer);
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
    case 'topic again': {
      const from = random.whole(0, end);
      return log.replay(partition, from, random.whole(from, end));
    }
    case 'record lost':
      return end > 0 ? log.lose(partition, random.whole(0, end - 1)) : undefined;
    case 'log cut':
      return log.cut(partition, random.whole(1, 4));
    case 'key swallowed': {
      const event = random.pick([...house.watch.truth.values()]);
      if (event) log.swallows.add(event.key);
    }
  }
}

function one({ world }: House, procs: ReadonlySet<Proc>): Proc | undefined {
  return procs.size > 0 ? world.random.pick([...procs]) : undefined;
}

/** SIGSTOP, and SIGCONT some time later: before the lease is over, or long after. */
function stop({ world }: House, proc: Proc): void {
  proc.pausedUntil = world.now + world.random.between(LEASE_MS / 10, LEASE_MS * 2);
  world.note(() => `${proc.name} is stopped until ${proc.pausedUntil.toFixed(1)}`);
}

function join(house: House, { consumers, consumerBatch }: Cast, name: string): void {
  consumers.add(startConsumer(house, name, consumerBatch));
}
