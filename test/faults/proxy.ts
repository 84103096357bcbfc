import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What a proxy can do to the traffic of one route. */
export type ProxyFault = 'cut' | 'half-open' | 'delay' | 'drop-answer';

/** Springs at the first chunk from the client that `matches`, after `skip` of them went by unharmed. */
export interface Trap {
  readonly fault: ProxyFault;
  readonly matches: (chunk: Buffer) => boolean;
  readonly skip: number;
  /** All connections of the route, or the one that sprang it. */
  readonly all: boolean;
  /** Cut: whether the chunk still goes through. */
  readonly forward: boolean;
  /** Half-open: how long the sockets stay; delay: how late every chunk is. Milliseconds. */
  readonly ms: number;
}

/** What a trap did. */
export interface Hit {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Connections that had something unanswered on them, or whose answer was dropped. */
  readonly struck: number;
}

/** How long an answer that is to be dropped is waited for, ms. */
const ANSWER_MS = 3_000;
/** A delay holds for this many times its length, so that a whole exchange is late, and not one chunk. */
const DELAY_WINDOW = 3;

/** A connection through the proxy. */
class Link {
  /** The client sent what the server has not answered yet. */
  unanswered = false;
  /** Half-open: nothing passes, nobody hears of it. */
  silent = false;
  /** Set while the answer is to be dropped. */
  swallow: ((bytes: number) => void) | null = null;
  private readonly queues = { up: [] as [number, Buffer][], down: [] as [number, Buffer][] };

  constructor(
    readonly near: Socket,
    readonly far: Socket,
  ) {}

  /** Writes after `delayMs`, and never before what came first. */
  pass(way: 'up' | 'down', chunk: Buffer, delayMs: number): void {
    const queue = this.queues[way];
    if (delayMs === 0 && queue.length === 0) return this.write(way, chunk);
    queue.push([performance.now() + delayMs, chunk]);
    if (queue.length === 1) this.pump(way);
  }

  destroy(): void {
    this.near.destroy();
    this.far.destroy();
  }

  private pump(way: 'up' | 'down'): void {
    const queue = this.queues[way];
    const [at, chunk] = queue[0]!;
    setTimeout(
      () => {
        queue.shift();
        this.write(way, chunk);
        if (queue.length > 0) this.pump(way);
      },
      Math.max(0, at - performance.now()),
    );
  }

  private write(way: 'up' | 'down', chunk: Buffer): void {
    const to = way === 'up' ? this.far : this.near;
    if (!this.silent && to.writable) to.write(chunk);
  }
}

/** A TCP proxy on 127.0.0.1 that passes everything on, until it is told to do harm. */
export class FaultProxy {
  private readonly links = new Set<Link>();
  private trap: { readonly spec: Trap; left: number; readonly sprung: (hit: Hit | null) => void } | null =
    null;
  private delay = { ms: 0, until: 0 };

  private constructor(
    readonly name: string,
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (near) => this.accept(near));
  }

  /** @param target port on 127.0.0.1 that it leads to */
  static async open(name: string, target: number): Promise<FaultProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(name, server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections now, half-open ones included. */
  get connections(): number {
    return this.links.size;
  }

  /** Sets a trap and resolves when it has done its harm; null when nothing sprang it within `withinMs`. */
  async spring(spec: Trap, withinMs: number): Promise<Hit | null> {
    if (this.trap) throw new Error(`a trap is set already on ${this.name}`);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Hit | null>((sprung) => {
        this.trap = { spec, left: spec.skip, sprung };
        timer = setTimeout(() => sprung(null), withinMs + (spec.fault === 'drop-answer' ? ANSWER_MS : 0));
      });
    } finally {
      clearTimeout(timer);
      this.trap = null;
    }
  }

  /** Ends all connections. Safe to call twice. */
  async close(): Promise<void> {
    for (const link of this.links) link.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    near.setNoDelay(true);
    const link = new Link(near, far);
    this.links.add(link);
    near.on('data', (chunk) => this.up(link, chunk));
    far.on('data', (chunk) => this.down(link, chunk));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // What went wrong on one side is told to the other by its end, as a network without us would.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (!link.silent) other.end();
        if (near.destroyed && far.destroyed) this.links.delete(link);
      });
    }
  }

  private up(link: Link, chunk: Buffer): void {
    if (link.silent) return;
    link.unanswered = true;
    const { trap } = this;
    if (trap?.spec.matches(chunk) && trap.left-- === 0) this.harm(link, chunk, trap.spec, trap.sprung);
    else link.pass('up', chunk, this.delayMs());
  }

  private down(link: Link, chunk: Buffer): void {
    if (link.silent) return;
    if (link.swallow) return link.swallow(chunk.length);
    link.unanswered = false;
    link.pass('down', chunk, this.delayMs());
  }

  private delayMs(): number {
    return performance.now() < this.delay.until ? this.delay.ms : 0;
  }

  private harm(link: Link, chunk: Buffer, spec: Trap, sprung: (hit: Hit | null) => void): void {
    const at = Date.now();
    const links = spec.all ? [...this.links] : [link];
    const hit = { at, struck: links.filter((each) => each.unanswered).length };
    switch (spec.fault) {
      case 'cut':
        if (spec.forward) link.far.write(chunk);
        // A turn later, so that what was just written leaves before the end.
        setImmediate(() => links.forEach((each) => each.destroy()));
        return sprung(hit);
      case 'half-open':
        for (const each of links) each.silent = true;
        setTimeout(() => links.forEach((each) => each.destroy()), spec.ms).unref();
        return sprung(hit);
      case 'delay':
        this.delay = { ms: spec.ms, until: performance.now() + DELAY_WINDOW * spec.ms };
        link.pass('up', chunk, spec.ms);
        return sprung(hit);
      case 'drop-answer':
        return dropAnswer(link, chunk, () => sprung({ at: Date.now(), struck: 1 }));
    }
  }
}

/** Lets the chunk through, waits for the server's answer, and ends the connection in place of passing it on. */
function dropAnswer(link: Link, chunk: Buffer, dropped: () => void): void {
  link.swallow = () => {
    link.destroy();
    dropped();
  };
  link.pass('up', chunk, 0);
}
