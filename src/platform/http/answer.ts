import type { FastifyReply } from 'fastify';
import type { StoredAnswer } from '../database/idempotency.js';

export interface AnswerOptions {
  /** The version of the resource, sent as a strong ETag. */
  readonly etag?: number;
  /** Path of a new resource. */
  readonly location?: string;
  /** The request that made it; a replay then names the first one, under which the events were written. */
  readonly correlationId?: string;
}

/** An answer `{ data }`, in the form in which it can be kept for its `Idempotency-Key`. */
export const answer = (status: number, data: unknown, options: AnswerOptions = {}): StoredAnswer => ({
  status,
  headers: {
    'content-type': 'application/json; charset=utf-8',
    ...(options.etag !== undefined && { etag: `"${options.etag}"` }),
    ...(options.location !== undefined && { location: options.location }),
    ...(options.correlationId !== undefined && { 'x-correlation-id': options.correlationId }),
  },
  body: JSON.stringify({ data }),
});

/** Sends an answer as it is, byte for byte. */
export function sendAnswer(reply: FastifyReply, stored: StoredAnswer): void {
  void reply.code(stored.status).headers(stored.headers).send(stored.body);
}

/** What an answer holds: for callers within the process, such as the command line. */
export const dataOf = <T>(stored: StoredAnswer): T => (JSON.parse(stored.body) as { data: T }).data;
