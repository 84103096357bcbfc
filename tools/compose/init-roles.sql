-- Run once by a superuser on an empty server, in the database `tartware` (docker-compose.yml); safe to run again.
-- The owner migrates; the two services own nothing and can't bypass row-level security. For a machine of one's own:
-- elsewhere give them passwords that nobody else has.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tartware_owner', 'tartware_app', 'tartware_worker'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I', name);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD %L', name, 'tartware');
  END LOOP;
END $$;
ALTER DATABASE tartware OWNER TO tartware_owner;
REVOKE ALL ON DATABASE tartware FROM PUBLIC;
GRANT CONNECT ON DATABASE tartware TO tartware_app, tartware_worker;
