import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultProxy, type ProxyFault, type Trap } from './proxy.js';

const TRAP: Trap = { fault: 'cut', matches: () => true, skip: 0, all: false, forward: false, ms: 50 };
const trap = (fault: ProxyFault, fields: Partial<Trap> = {}): Trap => ({ ...TRAP, fault, ...fields });

/** What a socket has received, and its end. */
function heard(socket: Socket): { text: string; readonly closed: Promise<unknown> } {
  const all = { text: '', closed: once(socket, 'close') };
  socket.on('data', (chunk: Buffer) => (all.text += chunk.toString()));
  socket.on('error', () => undefined);
  return all;
}

/** A server that answers each chunk with the same in capitals, behind a proxy. */
describe('the fault proxy', () => {
  let server: Server;
  let proxy: FaultProxy;
  let written: string;
  let sockets: Socket[];

  const client = async (): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, noDelay: true });
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const asks = async (socket: Socket, text: string): Promise<string> => {
    socket.write(text);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString();
  };

  beforeEach(async () => {
    [written, sockets] = ['', []];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        written += chunk.toString();
        socket.write(chunk.toString().toUpperCase());
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await FaultProxy.open('test', (server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await proxy.close();
    server.close();
  });

  it('passes everything on while no trap is set', async () => {
    const socket = await client();
    expect([await asks(socket, 'a'), await asks(socket, 'b')]).toEqual(['A', 'B']);
  });

  it('drops an answer after the write went through, and the client sees its connection end', async () => {
    const socket = await client();
    const ears = heard(socket);
    const hit = proxy.spring(trap('drop-answer', { matches: (chunk) => chunk.includes('commit') }), 5_000);
    expect(await asks(socket, 'begin')).toBe('BEGIN');
    socket.write('commit');
    expect((await hit)?.struck).toBe(1);
    await ears.closed;
    expect([written, ears.text]).toEqual(['begincommit', 'BEGIN']);
  });

  it('cuts before or after the chunk went through, one connection or all', async () => {
    const [one, other] = [await client(), await client()];
    await asks(other, 'x');
    const before = proxy.spring(trap('cut'), 5_000);
    const ears = heard(one);
    one.write('lost');
    expect((await before)?.struck).toBe(1);
    await ears.closed;
    expect([written, await asks(other, 'y')]).toEqual(['x', 'Y']);
    const after = proxy.spring(trap('cut', { forward: true, all: true }), 5_000);
    const [third, ends] = [await client(), heard(other)];
    third.write('kept');
    expect((await after)?.struck).toBe(1);
    await ends.closed;
    expect(written).toBe('xykept');
  });

  it('half-opens: both sides keep their sockets and hear nothing, new connections pass', async () => {
    const socket = await client();
    await asks(socket, 'x');
    const ears = heard(socket);
    const hit = proxy.spring(trap('half-open', { ms: 200 }), 5_000);
    socket.write('unheard');
    expect((await hit)?.struck).toBe(1);
    expect(socket.destroyed).toBe(false);
    expect(await asks(await client(), 'new')).toBe('NEW');
    await ears.closed;
    expect([written, ears.text]).toEqual(['xnew', '']);
  });

  it('delays, and keeps the order', async () => {
    const socket = await client();
    const ears = heard(socket);
    const begun = performance.now();
    const hit = proxy.spring(trap('delay', { ms: 60 }), 5_000);
    for (const text of ['a', 'b', 'c']) {
      socket.write(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await hit;
    while (ears.text.length < 3) await once(socket, 'data');
    expect(ears.text).toBe('ABC');
    expect(performance.now() - begun).toBeGreaterThan(110);
  });

  it('says when nothing sprang the trap, and does no harm afterwards', async () => {
    const socket = await client();
    expect(await proxy.spring(trap('cut', { matches: () => false }), 20)).toBeNull();
    expect(await asks(socket, 'x')).toBe('X');
  });
});
