import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tables that the functions below read across tenants with their owner's rights. */
const READ_ACROSS = [
  'outbox_events',
  'event_receipts',
  'event_inbox',
  'audit_log',
  'outbox_queue',
  'outbox_blocked_keys',
  'event_key_marks',
  'dead_letters',
];
const PARTITIONED = READ_ACROSS.slice(0, 4);

/**
 * Row-level security is forced, so the owner sees nothing either, and a guard that sees nothing finds nothing to guard. The
 * policies open these tables to the owner while app.maintenance is on, which nothing but the functions (and an operator's
 * export or backfill) turns on, to the end of the transaction: a slip of the owner's still sees no row.
 */
const OPENED = `(SELECT current_setting('app.maintenance', true)) = 'on'`;

/** What the functions have in common. Half a second is the longest that anybody queues behind a lock they wait for. */
const DEFINER = `SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' SET enable_seqscan = on
        SET TimeZone = 'UTC'`;

/** Months made, checked, detached, exported and dropped; never one that somebody still needs. */
export class Partitions1763700000008 implements MigrationInterface {
  readonly name = 'Partitions1763700000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- What is partitioned by month. holds_events: a month stays while an event of it is on its way. needs_export: a month
      -- is dropped only once it was exported. options: storage parameters of each month.
      CREATE TABLE partitioned_tables (
        name         text PRIMARY KEY,
        column_name  text NOT NULL,
        holds_events boolean NOT NULL,
        needs_export boolean NOT NULL,
        options      text NOT NULL DEFAULT ''
      );
      INSERT INTO partitioned_tables (name, column_name, holds_events, needs_export) VALUES
        ('outbox_events', 'occurred_at', true, false), ('event_receipts', 'occurred_at', true, false),
        ('event_inbox', 'occurred_at', true, false), ('audit_log', 'occurred_at', false, true);

      -- The life of each month from its first check on. The check walks the keys in order: checked_key is how far it is.
      CREATE TABLE partition_ledger (
        partition       text PRIMARY KEY,
        parent          text NOT NULL REFERENCES partitioned_tables,
        month           date NOT NULL CHECK (month = date_trunc('month', month)),
        checked_tenant  uuid,
        checked_key     uuid,
        checked_seq     integer,
        checked_at      timestamptz,
        unapplied       bigint NOT NULL DEFAULT 0 CHECK (unapplied >= 0),
        detached_at     timestamptz,
        exported_at     timestamptz,
        exported_rows   bigint,
        exported_sha256 text CHECK (exported_sha256 ~ '^[0-9a-f]{64}$'),
        dropped_at      timestamptz,
        CHECK ((exported_at IS NULL) = (exported_rows IS NULL) AND (exported_at IS NULL) = (exported_sha256 IS NULL)),
        CHECK (dropped_at IS NULL OR detached_at IS NOT NULL)
      );

      -- A table whose history is being moved into months; the owner's alone. next_block: pages before it are copied.
      CREATE TABLE partition_backfills (
        table_name  text PRIMARY KEY,
        column_name text NOT NULL,
        filenode    oid NOT NULL,
        next_block  bigint NOT NULL DEFAULT 0,
        copied_rows bigint NOT NULL DEFAULT 0,
        started_at  timestamptz NOT NULL DEFAULT now(),
        swapped_at  timestamptz
      );
      GRANT SELECT ON partitioned_tables, partition_ledger TO tartware_worker;

      CREATE FUNCTION app.partition_name(parent text, month date) RETURNS text LANGUAGE sql IMMUTABLE
        AS $$ SELECT parent || '_' || to_char(month, 'YYYY_MM') $$;

      CREATE FUNCTION app.partitioned_table(parent text) RETURNS partitioned_tables LANGUAGE plpgsql STABLE
        SET search_path = public, pg_temp AS $$
      DECLARE found_table partitioned_tables;
      BEGIN
        SELECT * INTO found_table FROM partitioned_tables WHERE name = parent;
        IF NOT FOUND THEN RAISE EXCEPTION '% is not partitioned by month', parent USING ERRCODE = '22023'; END IF;
        RETURN found_table;
      END $$;

      -- Opens the owner's eyes to the end of the transaction. A guard that row-level security blinds would let everything go:
      -- without its policies it refuses to look.
      CREATE FUNCTION app.begin_maintenance() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      BEGIN
        PERFORM set_config('app.maintenance', 'on', true);
        IF (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) THEN RETURN; END IF;
        IF (SELECT count(*) FROM pg_policy WHERE polname = 'maintenance' AND current_user::regrole::oid = ANY (polroles)
              AND polrelid = ANY (ARRAY[${READ_ACROSS.map((table) => `'${table}'`).join(', ')}]::regclass[])) < ${READ_ACROSS.length} THEN
          RAISE EXCEPTION 'the policies named maintenance are not those of %: the guard of the partitions sees nothing', current_user
            USING ERRCODE = '42501';
        END IF;
      END $$;

      -- Which months are missing: those up to months_ahead from now, and those whose rows lie in the default partition.
      CREATE FUNCTION app.missing_partitions(months_ahead integer) RETURNS TABLE (parent text, month date, in_default bigint)
        LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE t partitioned_tables;
      BEGIN
        PERFORM app.begin_maintenance();
        FOR t IN SELECT * FROM partitioned_tables ORDER BY name LOOP
          RETURN QUERY EXECUTE format(
            'WITH lost AS (
               SELECT date_trunc(''month'', %1$I)::date AS month, count(*) AS n FROM %2$I WHERE isfinite(%1$I) GROUP BY 1),
             wanted AS (
               SELECT (date_trunc(''month'', now()) + i * interval ''1 month'')::date AS month FROM generate_series(0, $2) i)
             SELECT $1, month, coalesce(n, 0) FROM wanted FULL JOIN lost USING (month)
              WHERE to_regclass(quote_ident(app.partition_name($1, month))) IS NULL ORDER BY 2',
            t.column_name, t.name || '_default') USING t.name, months_ahead;
        END LOOP;
      END $$;

      -- Makes a month and takes its rows out of the default partition. Built beside the table and then attached, because
      -- CREATE ... PARTITION OF locks the table against everybody. A month ahead, which has no rows, is attached under the eyes
      -- of readers and writers. Where rows move, or could come in, both wait: a writer that has found its way to the default
      -- partition already would be refused there, and a reader that planned without the new month, and takes its snapshot
      -- after the move, would miss its rows.
      CREATE FUNCTION app.make_partition(parent text, month date) RETURNS bigint LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE
        t partitioned_tables := app.partitioned_table(parent);
        first date := date_trunc('month', month)::date;
        child text := app.partition_name(parent, first);
        fallback text := parent || '_default';
        range text := format('%I >= %L AND %1$I < %3$L', t.column_name, first::timestamptz, (first + interval '1 month')::timestamptz);
        columns text; lost boolean; moved bigint := 0; guard record;
      BEGIN
        PERFORM app.begin_maintenance();
        PERFORM pg_advisory_xact_lock(hashtext('app.partitions'));
        IF to_regclass(quote_ident(child)) IS NOT NULL THEN RETURN 0; END IF;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY)', child, parent);
        IF t.options <> '' THEN EXECUTE format('ALTER TABLE %I SET (%s)', child, t.options); END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %s)', fallback, range) INTO lost;
        IF lost OR first::timestamptz <= now() THEN EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent); END IF;
        IF lost THEN
          SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
            WHERE attrelid = parent::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
          EXECUTE format('INSERT INTO %I (%s) SELECT %2$s FROM %3$I WHERE %4$s', child, columns, fallback, range);
          GET DIAGNOSTICS moved = ROW_COUNT;
          -- The rows are moved, not deleted: append-only tables refuse both alike.
          EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', fallback);
          EXECUTE format('DELETE FROM %I WHERE %s', fallback, range);
          EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', fallback);
        END IF;
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
        -- Row triggers reach the partitions by themselves, those on TRUNCATE don't.
        FOR guard IN SELECT tgname, tgfoid FROM pg_trigger
            WHERE tgrelid = parent::regclass AND NOT tgisinternal AND tgtype & 32 <> 0 LOOP
          EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I EXECUTE FUNCTION %s()', guard.tgname, child, guard.tgfoid::regproc);
        END LOOP;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
          first::timestamptz, (first + interval '1 month')::timestamptz);
        RETURN moved;
      END $$;

      -- Walks a month's events in the order of their keys, at most p_limit at once, and goes no further than the first that is
      -- neither applied nor settled (its dead letter RESOLVED or SKIPPED). Marks never go back, so what was passed stays passed.
      -- Answers 'passed' once the whole month was walked, 'held' at an unapplied event, else 'more'.
      CREATE FUNCTION app.check_partition(parent text, month date, p_limit integer) RETURNS text LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE
        t partitioned_tables := app.partitioned_table(parent);
        child text := app.partition_name(parent, month);
        l partition_ledger; slice record;
      BEGIN
        PERFORM app.begin_maintenance();
        INSERT INTO partition_ledger (partition, parent, month) VALUES (child, check_partition.parent, check_partition.month)
          ON CONFLICT (partition) DO NOTHING;
        SELECT * INTO l FROM partition_ledger WHERE partition = child FOR UPDATE;
        IF NOT t.holds_events OR l.checked_at IS NOT NULL THEN RETURN 'passed'; END IF;
        EXECUTE format(
          'WITH slice AS MATERIALIZED (
             SELECT tenant_id, aggregate_id, key_seq FROM %I
              WHERE %I >= %L AND %2$I < %4$L AND (tenant_id, aggregate_id, key_seq) > ($1, $2, $3)
              ORDER BY tenant_id, aggregate_id, key_seq LIMIT $4),
           late AS (
             SELECT count(*) AS n FROM slice s
               LEFT JOIN event_key_marks m ON m.tenant_id = s.tenant_id AND m.aggregate_id = s.aggregate_id
              WHERE coalesce(m.applied_seq, 0) < s.key_seq AND NOT EXISTS (
                SELECT FROM dead_letters d WHERE d.tenant_id = s.tenant_id AND d.aggregate_id = s.aggregate_id
                   AND d.key_seq = s.key_seq AND d.status NOT IN (''DEAD'', ''PARKED'', ''REPLAYING'')))
           SELECT late.n AS unapplied, (SELECT count(*) FROM slice) AS seen, last.* FROM late LEFT JOIN (
             SELECT * FROM slice ORDER BY tenant_id DESC, aggregate_id DESC, key_seq DESC LIMIT 1) last ON true',
          parent, t.column_name, month::timestamptz, (month + interval '1 month')::timestamptz)
          INTO slice USING coalesce(l.checked_tenant, '00000000-0000-0000-0000-000000000000'),
            coalesce(l.checked_key, '00000000-0000-0000-0000-000000000000'), coalesce(l.checked_seq, 0), p_limit;
        UPDATE partition_ledger SET unapplied = slice.unapplied,
            checked_tenant = CASE WHEN slice.unapplied > 0 THEN checked_tenant ELSE coalesce(slice.tenant_id, checked_tenant) END,
            checked_key = CASE WHEN slice.unapplied > 0 THEN checked_key ELSE coalesce(slice.aggregate_id, checked_key) END,
            checked_seq = CASE WHEN slice.unapplied > 0 THEN checked_seq ELSE coalesce(slice.key_seq, checked_seq) END,
            checked_at = CASE WHEN slice.unapplied = 0 AND slice.seen < p_limit THEN clock_timestamp() END
          WHERE partition = child;
        RETURN CASE WHEN slice.unapplied > 0 THEN 'held' WHEN slice.seen < p_limit THEN 'passed' ELSE 'more' END;
      END $$;

      -- Why a month may not go. All of it is cheap but for the walk of check_partition, whose last word is in the ledger.
      -- A dead letter that nobody could read belongs to the month in which it died.
      CREATE FUNCTION app.partition_holds(parent text, month date) RETURNS TABLE (reason text, events bigint)
        LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE
        t partitioned_tables := app.partitioned_table(parent);
        child text := app.partition_name(parent, month);
        since timestamptz := month::timestamptz; until timestamptz := (month + interval '1 month')::timestamptz;
        l partition_ledger;
      BEGIN
        PERFORM app.begin_maintenance();
        SELECT * INTO l FROM partition_ledger WHERE partition = child;
        IF t.needs_export AND l.detached_at IS NOT NULL AND l.exported_at IS NULL THEN
          reason := 'not exported'; events := NULL; RETURN NEXT;
        END IF;
        IF NOT t.holds_events THEN RETURN; END IF;
        IF l.checked_at IS NULL THEN
          reason := CASE WHEN l.unapplied > 0 THEN 'unapplied' ELSE 'unchecked' END;
          events := nullif(l.unapplied, 0); RETURN NEXT;
        END IF;
        RETURN QUERY SELECT 'queued', count(*) FROM outbox_queue q WHERE q.occurred_at >= since AND q.occurred_at < until HAVING count(*) > 0;
        RETURN QUERY EXECUTE format(
          'SELECT ''blocked'', count(*) FROM outbox_blocked_keys b WHERE EXISTS (
             SELECT FROM %I e WHERE e.tenant_id = b.tenant_id AND e.aggregate_id = b.aggregate_id AND e.key_seq >= b.key_seq
                AND e.%I >= $1 AND e.%2$I < $2) HAVING count(*) > 0',
          CASE WHEN l.detached_at IS NULL THEN parent ELSE child END, t.column_name) USING since, until;
        RETURN QUERY SELECT lower(d.status), count(*) FROM dead_letters d
          WHERE d.status IN ('DEAD', 'PARKED', 'REPLAYING') AND coalesce(d.occurred_at, d.created_at) >= since
            AND coalesce(d.occurred_at, d.created_at) < until GROUP BY 1 ORDER BY 1;
      END $$;

      CREATE FUNCTION app.refuse_held(parent text, month date) RETURNS void LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE why text;
      BEGIN
        SELECT string_agg(concat_ws(' ', events, reason), ', ') INTO why FROM app.partition_holds(parent, month);
        IF why IS NOT NULL THEN
          RAISE EXCEPTION '% is held: %', app.partition_name(parent, month), why USING ERRCODE = '55000';
        END IF;
      END $$;

      -- Takes a month out of its table; its rows stay, in a table that nobody but the owner reads. DETACH ... CONCURRENTLY is
      -- not to be had beside a default partition; the plain one locks everybody out for the moment of a change in the
      -- catalogue, and gives up when it can't have the lock soon.
      CREATE FUNCTION app.detach_partition(parent text, month date, keep_months integer) RETURNS void
        LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE
        t partitioned_tables := app.partitioned_table(parent);
        child text := app.partition_name(parent, month);
      BEGIN
        PERFORM app.begin_maintenance();
        PERFORM pg_advisory_xact_lock(hashtext('app.partitions'));
        IF keep_months < 2 THEN RAISE EXCEPTION 'this month and the last are never taken out' USING ERRCODE = '22023'; END IF;
        IF month + (keep_months + 1) * interval '1 month' > now() THEN
          RAISE EXCEPTION '% is kept for % months', child, keep_months USING ERRCODE = '55000';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(quote_ident(child)) AND inhparent = parent::regclass) THEN
          RETURN;
        END IF;
        INSERT INTO partition_ledger (partition, parent, month) VALUES (child, detach_partition.parent, detach_partition.month)
          ON CONFLICT (partition) DO NOTHING;
        PERFORM app.refuse_held(parent, month);
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
        -- Again, now that whoever was about to send an event again has either done so or waits.
        PERFORM app.refuse_held(parent, month);
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, child);
        EXECUTE format('CREATE POLICY maintenance ON %I FOR SELECT TO CURRENT_USER USING (${OPENED.replaceAll("'", "''")})', child);
        UPDATE partition_ledger SET detached_at = clock_timestamp(), exported_at = NULL, exported_rows = NULL,
          exported_sha256 = NULL, dropped_at = NULL WHERE partition = child;
      END $$;

      -- An export counts when it has every row.
      CREATE FUNCTION app.record_partition_export(p_partition text, p_rows bigint, p_sha256 text) RETURNS void
        LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE there bigint;
      BEGIN
        PERFORM app.begin_maintenance();
        PERFORM FROM partition_ledger WHERE partition = p_partition AND detached_at IS NOT NULL AND dropped_at IS NULL FOR UPDATE;
        IF NOT FOUND THEN RAISE EXCEPTION '% is no detached month', p_partition USING ERRCODE = '22023'; END IF;
        EXECUTE format('SELECT count(*) FROM %I', p_partition) INTO there;
        IF there <> p_rows THEN
          RAISE EXCEPTION '% has % rows, and % were exported', p_partition, there, p_rows USING ERRCODE = '55000';
        END IF;
        UPDATE partition_ledger SET exported_at = clock_timestamp(), exported_rows = p_rows, exported_sha256 = p_sha256
          WHERE partition = p_partition;
      END $$;

      -- Drops a month that was taken out at least p_days ago.
      CREATE FUNCTION app.drop_partition(p_partition text, p_days integer) RETURNS void LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE l partition_ledger;
      BEGIN
        PERFORM app.begin_maintenance();
        PERFORM pg_advisory_xact_lock(hashtext('app.partitions'));
        SELECT * INTO l FROM partition_ledger WHERE partition = p_partition AND detached_at IS NOT NULL FOR UPDATE;
        IF NOT FOUND THEN RAISE EXCEPTION '% is no detached month', p_partition USING ERRCODE = '22023'; END IF;
        IF l.dropped_at IS NOT NULL THEN RETURN; END IF;
        IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(quote_ident(p_partition))) THEN
          RAISE EXCEPTION '% is attached again', p_partition USING ERRCODE = '55000';
        END IF;
        IF l.detached_at > clock_timestamp() - p_days * interval '1 day' THEN
          RAISE EXCEPTION '% was taken out less than % days ago', p_partition, p_days USING ERRCODE = '55000';
        END IF;
        PERFORM app.refuse_held(l.parent, l.month);
        EXECUTE format('DROP TABLE %I', p_partition);
        UPDATE partition_ledger SET dropped_at = clock_timestamp() WHERE partition = p_partition;
      END $$;

      -- Every month of every table, the default partitions (month NULL), and what is detached. Rows are the planner's estimate,
      -- but for a default partition's, which are counted; the times are read from the rows when asked for.
      CREATE FUNCTION app.partition_status(with_times boolean)
        RETURNS TABLE (parent text, partition text, month date, attached boolean, rows bigint, bytes bigint,
          oldest timestamptz, newest timestamptz, detached_at timestamptz, exported_at timestamptz)
        LANGUAGE plpgsql ${DEFINER} AS $$
      DECLARE t partitioned_tables; c record;
      BEGIN
        PERFORM app.begin_maintenance();
        FOR t IN SELECT * FROM partitioned_tables ORDER BY name LOOP
          FOR c IN
            SELECT k.relname::text AS name, k.oid, k.reltuples, i.inhparent IS NOT NULL AS attached, l.detached_at AS detached, l.exported_at AS exported
              FROM pg_class k
              LEFT JOIN pg_inherits i ON i.inhrelid = k.oid AND i.inhparent = t.name::regclass
              LEFT JOIN partition_ledger l ON l.partition = k.relname AND l.parent = t.name AND l.detached_at IS NOT NULL AND l.dropped_at IS NULL
             WHERE k.relnamespace = 'public'::regnamespace AND (i.inhparent IS NOT NULL OR l.partition IS NOT NULL)
               AND (k.relname = t.name || '_default' OR k.relname ~ '_[0-9]{4}_[0-9]{2}$') ORDER BY k.relname
          LOOP
            parent := t.name; partition := c.name; attached := c.attached;
            month := CASE WHEN c.name <> t.name || '_default' THEN to_date(right(c.name, 7), 'YYYY_MM') END;
            rows := greatest(c.reltuples, 0)::bigint; bytes := pg_total_relation_size(c.oid);
            IF month IS NULL THEN EXECUTE format('SELECT count(*) FROM %I', c.name) INTO rows; END IF;
            oldest := NULL; newest := NULL;
            IF with_times THEN
              EXECUTE format('SELECT min(%I), max(%1$I) FROM %I%s', t.column_name, CASE WHEN c.attached AND month IS NOT NULL THEN t.name ELSE c.name END,
                CASE WHEN c.attached AND month IS NOT NULL THEN format(' WHERE %I >= %L AND %1$I < %3$L', t.column_name, month::timestamptz,
                  (month + interval '1 month')::timestamptz) ELSE '' END) INTO oldest, newest;
            END IF;
            detached_at := CASE WHEN c.attached THEN NULL ELSE c.detached END; exported_at := c.exported;
            RETURN NEXT;
          END LOOP;
        END LOOP;
      END $$;

      DROP FUNCTION app.ensure_partitions;
    `);
    const functions = [
      'missing_partitions',
      'make_partition',
      'check_partition',
      'partition_holds',
      'detach_partition',
      'record_partition_export',
      'drop_partition',
      'partition_status',
    ];
    for (const name of functions)
      await runner.query(
        `REVOKE ALL ON FUNCTION app.${name} FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.${name} TO tartware_worker`,
      );
    await runner.query(`REVOKE ALL ON FUNCTION app.refuse_held FROM PUBLIC`);
    for (const table of READ_ACROSS)
      await runner.query(
        `CREATE POLICY maintenance ON ${table} FOR SELECT TO CURRENT_USER USING (${OPENED})`,
      );
    for (const table of PARTITIONED)
      await runner.query(
        `CREATE POLICY maintenance ON ${table}_default TO CURRENT_USER USING (${OPENED}) WITH CHECK (${OPENED})`,
      );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [...READ_ACROSS, ...PARTITIONED.map((parent) => `${parent}_default`)])
      await runner.query(`DROP POLICY maintenance ON ${table}`);
    await runner.query(`
      DROP FUNCTION app.partition_status, app.drop_partition, app.record_partition_export, app.detach_partition, app.refuse_held,
        app.partition_holds, app.check_partition, app.make_partition, app.missing_partitions, app.begin_maintenance,
        app.partitioned_table, app.partition_name;
      DROP TABLE partition_backfills, partition_ledger, partitioned_tables;
      -- The months that are there stay; the earlier function only adds to them.
      CREATE FUNCTION app.ensure_partitions(months_ahead integer DEFAULT 2) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
      DECLARE
        parent text; month date; child text; made integer := 0;
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('app.ensure_partitions'));
        FOREACH parent IN ARRAY ARRAY['outbox_events', 'event_receipts', 'event_inbox', 'audit_log'] LOOP
          FOR i IN 0..months_ahead LOOP
            month := date_trunc('month', (now() AT TIME ZONE 'UTC'))::date + make_interval(months => i);
            child := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
            IF to_regclass(format('public.%I', child)) IS NULL THEN
              EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
              EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
              EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
              IF parent IN ('audit_log', 'outbox_events') THEN
                EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I EXECUTE FUNCTION app.refuse_change()',
                  parent || '_no_truncate', child);
              END IF;
              made := made + 1;
            END IF;
          END LOOP;
        END LOOP;
        RETURN made;
      END $$;
      REVOKE ALL ON FUNCTION app.ensure_partitions FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION app.ensure_partitions TO tartware_worker;
    `);
  }
}
