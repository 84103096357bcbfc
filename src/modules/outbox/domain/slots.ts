/** Lanes of a relay: while one sends, the other reads. */
export const LANES = 2;

/** Most of `slots` slots that one of `relays` live relays should hold: all together cover all of them. */
export const fairShare = (slots: number, relays: number): number => Math.ceil(slots / Math.max(relays, 1));

/** The partition of a slot's events. */
export const partitionOf = (slot: number, partitions: number): number => slot % partitions;

/**
 * The lane of a slot. It follows the partition, so that two lanes never append to one partition at the same time: the log
 * leaves that to its caller.
 */
export const laneOf = (slot: number, partitions: number): number => partitionOf(slot, partitions) % LANES;
