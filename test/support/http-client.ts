import { randomUUID } from 'node:crypto';

/** Any JSON, to be reached into: what it holds is what a test asserts. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers have every shape; the assertions check them
export type Json = any;

/** An answer over HTTP, read to its end. `body` is the parsed JSON, or null where it is none. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Json;
}

export interface HttpRequest {
  /** An object is sent as JSON; a text or bytes go as they are, as `application/json` unless `headers` say otherwise. */
  readonly body?: unknown;
  /** The Idempotency-Key: a new one for each mutation unless told, null for none. */
  readonly key?: string | null;
  /** A version becomes an ETag. */
  readonly ifMatch?: number | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A new Idempotency-Key. */
export const newKey = (): string => randomUUID();

const parsed = (text: string, type: string | null): Json => {
  if (!type?.includes('json') || text === '') return null;
  return JSON.parse(text);
};

/** A caller of one service with one token; connections are kept alive (fetch's own pool). */
export class HttpClient {
  constructor(
    readonly url: string,
    readonly token: string | null,
  ) {}

  async call(method: string, path: string, request: HttpRequest = {}): Promise<HttpAnswer> {
    const { body, key, ifMatch, headers } = request;
    const mutation = !['GET', 'HEAD', 'OPTIONS'].includes(method);
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(this.token !== null && { authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(mutation && key !== null && { 'idempotency-key': key ?? newKey() }),
        ...(ifMatch !== undefined && { 'if-match': typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch }),
        ...headers,
      },
      ...(body !== undefined && {
        body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: parsed(text, response.headers.get('content-type')),
    };
  }

  get(path: string, request: HttpRequest = {}): Promise<HttpAnswer> {
    return this.call('GET', path, request);
  }

  post(path: string, body?: unknown, request: Omit<HttpRequest, 'body'> = {}): Promise<HttpAnswer> {
    return this.call('POST', path, { ...request, body });
  }

  patch(path: string, body: unknown, request: Omit<HttpRequest, 'body'> = {}): Promise<HttpAnswer> {
    return this.call('PATCH', path, { ...request, body });
  }

  put(path: string, body: unknown, request: Omit<HttpRequest, 'body'> = {}): Promise<HttpAnswer> {
    return this.call('PUT', path, { ...request, body });
  }

  /** `data` of an answer that must have this status. @throws Error with the whole answer */
  async data(status: number, answer: Promise<HttpAnswer>): Promise<Json> {
    const { status: got, text, body } = await answer;
    if (got !== status) throw new Error(`answered ${got}, not ${status}: ${text}`);
    return body.data;
  }
}

/**
 * Asks again until `look` answers something, and gives that back.
 * @param what is waited for, for the message
 * @throws Error when it takes longer than `withinMs`; the last fault is its cause
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false | null>,
  withinMs = 20_000,
  everyMs = 25,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (let cause: unknown; ;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false && found !== null) return found;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
