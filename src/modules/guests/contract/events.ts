import { ID, list, object, oneOf } from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

/** What a guest's record may hold. */
export const GUEST_FIELDS = ['firstName', 'lastName', 'email', 'phone', 'address', 'country'] as const;

/** `guest.created` and `guest.changed`: whom, and which fields; never what stands in them. */
export interface GuestEvent {
  readonly guestId: string;
  /** Names of the fields that have a value (created) or another value (changed). */
  readonly fields: readonly string[];
}

const guest = object<GuestEvent>({
  guestId: ID,
  fields: list(oneOf(...GUEST_FIELDS), GUEST_FIELDS.length),
});

export const GUEST_EVENTS = {
  'guest.created': { about: 'A guest is on record.', versions: { 1: guest } },
  'guest.changed': { about: "Fields of a guest's record have other values.", versions: { 1: guest } },
} satisfies EventTypes;
