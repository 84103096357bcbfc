import { EVENT_TYPES } from '../../modules/outbox/contract/event-types.js';
import { schemaIdOf } from '../../modules/outbox/contract/events.js';
import { KEYS } from '../../platform/config/keys.js';
import { ID, whole, type JsonSchema } from '../../platform/kernel/json-schema.js';

const TIME: JsonSchema = { type: 'string', format: 'date-time', pattern: 'Z$' };
const TEXT: JsonSchema = { type: 'string' };
const usual = (key: string): string => KEYS.find(({ name }) => name === key)!.fallback;

/** A version of a type of events. */
interface Contract {
  /** `reservation.created.v1`; the name of its file. */
  readonly name: string;
  readonly about: string;
  /** Of a record's whole value: the envelope with the data in it. */
  readonly schema: JsonSchema;
}

/** Every contract that stands, in the order of their names. */
export const contracts = (): Contract[] =>
  [...EVENT_TYPES]
    .flatMap(([type, { about, versions }]) =>
      Object.entries(versions).map(([version, data]) => {
        const name = `${type}.v${version}`;
        return { name, about, schema: recordSchema(type, Number(version), about, data) };
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));

function recordSchema(type: string, version: number, about: string, data: JsonSchema): JsonSchema {
  const properties = {
    eventId: ID,
    tenantId: ID,
    type: { type: 'string', enum: [type] },
    version: { type: 'integer', enum: [version] },
    aggregateType: { type: 'string', enum: [type.split('.')[0]!] },
    aggregateId: ID,
    keySeq: whole(1, 2 ** 31 - 1),
    occurredAt: TIME,
    correlationId: ID,
    data,
  } satisfies Record<string, JsonSchema>;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: schemaIdOf(type, version),
    title: `${type}, version ${version}`,
    description: about,
    type: 'object',
    required: Object.keys(properties),
    properties,
  };
}

const HEADERS: Readonly<Record<string, object>> = {
  ce_id: { ...ID, description: "The event's id: one that comes twice is the same." },
  ce_type: TEXT,
  ce_source: { ...TEXT, enum: ['tartware'] },
  ce_specversion: { ...TEXT, enum: ['1.0'] },
  ce_time: TIME,
  ce_subject: { ...ID, description: 'The aggregate.' },
  ce_dataschema: { ...TEXT, pattern: '^urn:tartware:event:', description: 'The $id of the schema.' },
  ce_tenantid: { ...ID, description: 'The tenant.' },
  ce_correlationid: { ...ID, description: 'The request that caused the event.' },
  ce_partitionkey: { ...ID, description: "The record's key: the aggregate." },
  traceparent: { ...TEXT, description: "W3C trace context of the request, version 00's form." },
  'content-type': { ...TEXT, enum: ['application/json'] },
};
/** What a dead letter's headers keep of these: it has an id and a time of its own, and its event may not have been readable. */
const LETTER_HEADERS = ['ce_id', 'ce_source', 'ce_specversion', 'ce_time', 'ce_tenantid', 'content-type'];

const DEAD_LETTER = {
  type: 'object',
  description:
    "The original event's members (or `originalBase64`; or, where it no longer fits, `truncated` with its ids), and what became of it.",
  required: ['deadLetterId', 'status', 'retryCount', 'attemptedAt', 'failureCode', 'failureCause', 'source'],
  properties: {
    deadLetterId: ID,
    status: { type: 'string', enum: ['DEAD', 'PARKED'] },
    retryCount: { type: 'integer', minimum: 0 },
    attemptedAt: TIME,
    failureCode: { type: 'string', pattern: '^[A-Z0-9_]+$' },
    failureCause: { ...TEXT, description: "Never the row's or the event's own values." },
    source: {
      type: 'object',
      required: ['topic', 'partition', 'offset'],
      properties: { topic: TEXT, partition: { type: 'integer', minimum: 0 }, offset: TEXT },
    },
    originalBase64: { type: ['string', 'null'] },
    truncated: { type: 'boolean' },
  },
};

const ref = (to: string): object => ({ $ref: to });
const message = (name: string): object => ref(`#/components/messages/${name}`);

const messages = (all: readonly Contract[]): object => ({
  ...Object.fromEntries(
    all.map(({ name, about }) => [
      name,
      {
        name,
        summary: about,
        traits: [ref('#/components/messageTraits/cloudEvent')],
        payload: ref(`./schemas/${name}.json`),
      },
    ]),
  ),
  'dead-letter': {
    name: 'dead-letter',
    summary: 'An event that was given up, or waits behind one.',
    headers: ref('#/components/schemas/deadLetterHeaders'),
    payload: ref('#/components/schemas/deadLetter'),
  },
});

const TRAITS = {
  cloudEvent: {
    headers: ref('#/components/schemas/headers'),
    correlationId: {
      description: 'The request that caused the event.',
      location: '$message.header#/ce_correlationid',
    },
    bindings: { kafka: { key: ID, bindingVersion: '0.5.0' } },
  },
};

const SCHEMAS = {
  headers: { type: 'object', required: Object.keys(HEADERS), properties: HEADERS },
  deadLetterHeaders: {
    type: 'object',
    required: [...LETTER_HEADERS, 'ce_type'],
    properties: {
      ...Object.fromEntries(LETTER_HEADERS.map((name) => [name, HEADERS[name]])),
      ce_type: { ...TEXT, enum: ['dead-letter'] },
      traceparent: HEADERS['traceparent'],
    },
  },
  deadLetter: DEAD_LETTER,
};

function channel(address: string, description: string, messages: readonly string[]): object {
  return {
    address,
    description,
    messages: Object.fromEntries(messages.map((name) => [name, message(name)])),
    bindings: {
      kafka: { topicConfiguration: { 'cleanup.policy': ['delete'] }, bindingVersion: '0.5.0' },
    },
  };
}

const sending = (of: string, summary: string): object => ({
  action: 'send',
  channel: ref(`#/channels/${of}`),
  summary,
});

/** The AsyncAPI 3.0 document of both topics; the events' schemas are files beside it. */
export function asyncApiDocument(): object {
  const all = contracts();
  const events = usual('RESERVATION_TOPIC');
  const letters = usual('RESERVATION_DLQ_TOPIC');
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Tartware events',
      version: '1.0.0',
      description:
        'Every mutation is one event. At least once, in the order of keySeq within a key. A reader passes over members that it does not know: a version may get new ones.',
    },
    defaultContentType: 'application/json',
    channels: {
      [events]: channel(
        events,
        'All events (RESERVATION_TOPIC).',
        all.map(({ name }) => name),
      ),
      [letters]: channel(letters, 'What could not be applied (RESERVATION_DLQ_TOPIC).', ['dead-letter']),
    },
    operations: {
      publishEvents: sending(events, 'The relay brings committed events into the log.'),
      publishDeadLetters: sending(letters, 'The consumer tells of what it gave up.'),
    },
    components: { messages: messages(all), messageTraits: TRAITS, schemas: SCHEMAS },
  };
}
