/** `guest.created` and `guest.changed`: whom, and which fields; never what stands in them. */
export interface GuestEvent {
  readonly guestId: string;
  /** Names of the fields that have a value (created) or another value (changed). */
  readonly fields: readonly string[];
}
