import { randomUUID } from 'node:crypto';
import type { Json } from '../support/http-client.js';
import type { Member } from './member.js';
import type { Random } from './random.js';
import type { Desk, Stage } from './stage.js';

/** How long a client waits for an answer before it asks again, ms. */
const PATIENCE_MS = 3_000;
/** Longest pause between two requests of a client, ms. */
const THINK_MS = 40;
/** A client keeps changing its latest reservations only; the others stay as they were answered. */
const OWN = 30;

/** A reservation as its client was last told. */
interface Told {
  readonly id: string;
  readonly tenantId: string;
  version: number;
  status: string;
  adults: number;
}

interface Command {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: Json;
  readonly ifMatch?: number;
  readonly of: Told | null;
}

/** Refusals that a house may give to a client that does everything right. */
const FAIR = new Set(['NO_AVAILABILITY']);

/**
 * Clients at the desks of all tenants, who book, change, cancel and take up again: each request has its Idempotency-Key,
 * and is sent again with it until it is answered. Each reservation has one client, so what it was told is what must be.
 */
export class Load {
  /** By reservation, for all that was ever created. */
  readonly told = new Map<string, Told>();
  /** Requests answered with 2xx. */
  acknowledged = 0;
  /** Requests refused. */
  refused = 0;
  /** Requests sent again for want of an answer. */
  retried = 0;
  /** Answers that break a promise. */
  readonly wrong: string[] = [];
  private readonly inFlight = new Map<Member, number>();
  private stopping = false;
  private readonly done: Promise<unknown>;

  private constructor(
    private readonly stage: Stage,
    clients: number,
    random: Random,
  ) {
    this.done = Promise.all(
      Array.from({ length: clients }, (_, n) =>
        this.client(stage.desks[n % stage.desks.length]!, random.fork()),
      ),
    );
  }

  static start(stage: Stage, clients: number, random: Random): Load {
    return new Load(stage, clients, random);
  }

  /** Requests that this API has not answered yet. */
  unanswered(api: Member): number {
    return this.inFlight.get(api) ?? 0;
  }

  /** Resolves when every client has its last answer. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.done;
  }

  private async client(desk: Desk, random: Random): Promise<void> {
    const own: Told[] = [];
    while (!this.stopping) {
      const command = commandOf(desk, own, random);
      await this.complete(desk, command, own, random);
      if (own.length > OWN) own.shift();
      await new Promise((resolve) => setTimeout(resolve, random.between(0, THINK_MS)));
    }
  }

  /** Sends it until it is answered. */
  private async complete(desk: Desk, command: Command, own: Told[], random: Random): Promise<void> {
    const key = randomUUID();
    for (;;) {
      const answer = await this.send(desk, command, key, random);
      if (answer && answer.status < 300) return this.acknowledge(desk, command, answer.body.data, own);
      const code: string = answer?.body?.error?.code ?? '';
      if (answer && answer.status < 500 && code !== 'REQUEST_IN_PROGRESS') {
        this.refused += 1;
        if (!FAIR.has(code)) this.wrong.push(`${command.method} ${command.path}: ${answer.status} ${code}`);
        return;
      }
      this.retried += 1;
      await new Promise((resolve) => setTimeout(resolve, random.between(5, 50)));
    }
  }

  private acknowledge(desk: Desk, { of, path }: Command, view: Json, own: Told[]): void {
    this.acknowledged += 1;
    const { id, version, status } = view;
    const expected = (of?.version ?? 0) + 1;
    if (version !== expected) this.wrong.push(`${path}: version ${version}, not ${expected}`);
    if (of) return void Object.assign(of, { version, status, adults: view.party.adults });
    if (this.told.has(id)) this.wrong.push(`${path}: ${id} was created before`);
    const told = { id, tenantId: desk.house.tenantId, version, status, adults: view.party.adults };
    this.told.set(id, told);
    own.push(told);
  }

  /** Null: no answer, for whatever reason. */
  private async send(
    desk: Desk,
    { method, path, body, ifMatch }: Command,
    key: string,
    random: Random,
  ): Promise<{ status: number; body: Json } | null> {
    const apis = this.stage.apis.filter(({ up }) => up);
    if (apis.length === 0) return null;
    const api = random.pick(apis);
    this.inFlight.set(api, this.unanswered(api) + 1);
    try {
      const response = await fetch(`${api.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${desk.token}`,
          'idempotency-key': key,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      return { status: response.status, body: (await response.json()) as Json };
    } catch {
      return null;
    } finally {
      this.inFlight.set(api, this.unanswered(api) - 1);
    }
  }
}

/** What the client does next: half of it is booking, the rest are changes of what it has. */
function commandOf({ house }: Desk, own: readonly Told[], random: Random): Command {
  const kind = random.next();
  if (own.length < 3 || kind < 0.35) {
    const arrival = random.between(0, 100);
    const body = {
      propertyId: house.propertyId,
      roomTypeId: random.pick(house.roomTypeIds),
      ratePlanId: house.ratePlanId,
      guestId: house.guestId,
      arrival: house.day(arrival),
      departure: house.day(arrival + random.between(1, 3)),
      adults: 1,
    };
    return { method: 'POST', path: '/v1/reservations', body, of: null };
  }
  const of = random.pick(own);
  const at = `/v1/reservations/${of.id}`;
  if (of.status === 'CANCELLED') return { method: 'POST', path: `${at}/reinstate`, body: undefined, of };
  if (kind < 0.55) return { method: 'POST', path: `${at}/cancel`, body: { reason: 'plans changed' }, of };
  return { method: 'PATCH', path: at, body: { adults: 3 - of.adults }, ifMatch: of.version, of };
}
