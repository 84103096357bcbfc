import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Samples } from '../measure.js';
import { stayOf, type BookOrder, type GetOrder, type LoadOrder, type LoadReport } from './orders.js';

// The load, a process of its own: as many connections as clients, each with one request at a time. HTTP/1.1 by hand on bare
// sockets, since a client library takes as much CPU as a service that is fast, and both have to share it.

const HEAD_END = '\r\n\r\n';
const LENGTH = 'content-length: ';

class Client {
  private rest: Buffer | null = null;
  private answered: ((answer: Buffer) => void) | null = null;
  private failed: ((error: Error) => void) | null = null;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.hear(chunk));
    socket.on('error', (error) => this.failed?.(error));
    socket.on('close', () => this.failed?.(new Error('the service closed a connection')));
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }

  ask(request: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.answered = resolve;
      this.failed = reject;
      this.socket.write(request, 'latin1');
    });
  }

  private hear(chunk: Buffer): void {
    const got = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
    const head = got.indexOf(HEAD_END);
    const length = head < 0 ? -1 : got.indexOf(LENGTH);
    if (head >= 0 && (length < 0 || length > head)) {
      this.failed?.(new Error(`an answer without a length: ${got.toString('latin1', 0, head)}`));
      return;
    }
    const wanted =
      head < 0
        ? Infinity
        : head + HEAD_END.length + parseInt(got.toString('latin1', length + LENGTH.length, length + 24), 10);
    this.rest = got.length < wanted ? got : null;
    if (!this.rest) this.answered?.(got);
  }

  close(): void {
    this.failed = null;
    this.socket.destroy();
  }
}

const clients: Client[] = [];
let connectedTo = 0;

async function connected({ port, clients: many }: LoadOrder): Promise<readonly Client[]> {
  if (connectedTo !== port) {
    for (const client of clients.splice(0)) client.close();
    connectedTo = port;
  }
  while (clients.length < many) clients.push(await Client.open(port));
  return clients.slice(0, many);
}

const getOf = ({ token, paths }: GetOrder, n: number): string =>
  `GET ${paths[n % paths.length]!} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`;

function bookingOf({ token, house, kind }: BookOrder, n: number): string {
  const { propertyId, ratePlanId, guestId } = house;
  const body = JSON.stringify({ propertyId, ratePlanId, guestId, ...stayOf(house, kind, n), adults: 2 });
  return (
    `POST /v1/reservations HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n` +
    `content-type: application/json\r\nidempotency-key: ${randomUUID()}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  );
}

async function run(order: LoadOrder): Promise<LoadReport> {
  const all = await connected(order);
  const samples = new Samples();
  const good = order.kind === 'get' ? '200' : '201';
  let [n, done, refused] = [order.from, 0, 0];
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const until = begun + order.ms;
  await Promise.all(
    all.map(async (client) => {
      for (let at = performance.now(); at < until;) {
        const request = order.kind === 'get' ? getOf(order, n++) : bookingOf(order, n++);
        const answer = await client.ask(request);
        const now = performance.now();
        samples.add(now - at);
        at = now;
        const status = answer.toString('latin1', 9, 12);
        if (status === good) done++;
        else if (status === '409' && order.kind === 'hot' && answer.includes('"NO_AVAILABILITY"')) refused++;
        else throw new Error(`answered\n${answer.toString('latin1')}`);
      }
    }),
  );
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  return { done, refused, ms, p50: samples.p50, p99: samples.p99, cpuMs: (user + system) / 1000 };
}

process.on('message', (order: LoadOrder) => {
  run(order).then(
    (report) => process.send!({ report }),
    (error: unknown) => process.send!({ error: error instanceof Error ? error.message : String(error) }),
  );
});
