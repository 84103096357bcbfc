import { sql } from '../../database/sql.js';

/** Every statement of the PostgreSQL event log, named; values are always bound. */

/** $1 topic, $2 partitions, $3 retention ms, $4 max bytes. The count of partitions of a topic never changes: keys would move. */
export const CREATE_TOPIC = sql(
  'event_log.create_topic',
  `
INSERT INTO event_log_topics AS t (topic, partitions, retention_ms, max_message_bytes) VALUES ($1, $2, $3, $4)
ON CONFLICT (topic) DO UPDATE SET retention_ms = excluded.retention_ms, max_message_bytes = excluded.max_message_bytes
RETURNING t.partitions`,
);

/** $1 topic, $2 partitions. */
export const CREATE_PARTITIONS = sql(
  'event_log.create_partitions',
  `
INSERT INTO event_log_partitions (topic, partition)
SELECT $1, p FROM generate_series(0, $2::int - 1) AS p
ON CONFLICT DO NOTHING`,
);

export const READ_TOPIC = sql(
  'event_log.read_topic',
  `SELECT partitions, retention_ms, max_message_bytes FROM event_log_topics WHERE topic = $1`,
);

export const LIST_TOPICS = sql(
  'event_log.list_topics',
  `SELECT topic, partitions FROM event_log_topics ORDER BY topic`,
);

/**
 * $1 topic, $2 partition and $3 count of each partition touched, then a row a record: $4 partition, $5 place within its
 * partition, $6 key, $7 value, $8 headers. One statement is one transaction and one round trip.
 *
 * \`locked\` takes the partitions' row locks in one order (no deadlock between two appends), and they are held until the
 * commit: so commits follow the order of offsets, and a reader that goes on from the last offset it saw misses nothing.
 */
export const APPEND = sql(
  'event_log.append',
  `
WITH wanted AS (SELECT * FROM unnest($2::int[], $3::int[]) AS w(partition, n)),
locked AS (
  SELECT p.partition, w.n FROM event_log_partitions p JOIN wanted w USING (partition)
  WHERE p.topic = $1 ORDER BY p.partition FOR UPDATE OF p
),
taken AS (
  UPDATE event_log_partitions p SET next_offset = p.next_offset + l.n
  FROM locked l WHERE p.topic = $1 AND p.partition = l.partition
  RETURNING p.partition, p.next_offset - l.n AS base
),
written AS (
  INSERT INTO event_log_records (topic, partition, "offset", key, value, headers)
  SELECT $1, r.partition, t.base + r.place, r.key, r.value, r.headers::jsonb
  FROM unnest($4::int[], $5::int[], $6::text[], $7::bytea[], $8::text[]) AS r(partition, place, key, value, headers)
  JOIN taken t USING (partition)
)
SELECT partition, base FROM taken`,
);

/**
 * $1 topic, $2 partition, $3 first offset, $4 records, $5 bytes. One snapshot: every record below next_offset is in it
 * (or pruned). The bytes are counted before the values are fetched, so a run of large records can't fill the memory.
 */
export const READ = sql(
  'event_log.read',
  `
SELECT p.next_offset, r."offset", r.key, r.value, r.headers, r.ms
FROM event_log_partitions p
LEFT JOIN LATERAL (
  SELECT w.*, (extract(epoch FROM w.appended_at) * 1000)::float8 AS ms FROM (
    SELECT s.*, sum(coalesce(octet_length(s.value), 0) + octet_length(s.headers::text) + 100) OVER (ORDER BY s."offset") AS bytes,
      row_number() OVER (ORDER BY s."offset") AS place
    FROM (
      SELECT "offset", key, value, headers, appended_at FROM event_log_records
      WHERE topic = $1 AND partition = $2 AND "offset" >= $3 ORDER BY "offset" LIMIT $4
    ) s
  ) w
  WHERE w.bytes <= $5 OR w.place = 1
) r ON true
WHERE p.topic = $1 AND p.partition = $2
ORDER BY r."offset"`,
);

/** $1 topic. */
export const NEXT_OFFSETS = sql(
  'event_log.next_offsets',
  `SELECT partition, next_offset FROM event_log_partitions WHERE topic = $1`,
);

/** What the partitions of a topic hold, in their order. */
export const RANGES = sql(
  'event_log.ranges',
  `SELECT p.next_offset::text AS end, coalesce((
            SELECT r."offset" FROM event_log_records r WHERE r.topic = p.topic AND r.partition = p.partition
             ORDER BY r."offset" LIMIT 1), p.next_offset)::text AS start
     FROM event_log_partitions p WHERE p.topic = $1 ORDER BY p.partition`,
);

/** $1 partitions, $2 their lock keys. Answers those that this session now holds. */
export const TRY_LOCKS = sql(
  'event_log.try_locks',
  `
SELECT w.partition FROM unnest($1::int[], $2::bigint[]) AS w(partition, key) WHERE pg_try_advisory_lock(w.key)`,
);

/**
 * $1 topic, $2 partition, $3 records at most: deletes from the low end only, so that what remains is one run without holes.
 * The database's own clock wrote appended_at, and it decides what is old.
 */
export const PRUNE = sql(
  'event_log.prune',
  `
WITH head AS (
  SELECT r."offset", r.appended_at < clock_timestamp() - t.retention_ms * interval '1 millisecond' AS expired
  FROM event_log_records r JOIN event_log_topics t USING (topic)
  WHERE r.topic = $1 AND r.partition = $2 ORDER BY r."offset" LIMIT $3
)
DELETE FROM event_log_records
WHERE topic = $1 AND partition = $2
  AND "offset" < coalesce((SELECT min("offset") FROM head WHERE NOT expired), (SELECT max("offset") + 1 FROM head))`,
);

export const PING = sql('event_log.ping', `SELECT 1`);
