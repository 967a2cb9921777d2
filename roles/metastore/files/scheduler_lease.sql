-- By what schedulers take turns: one row says whose turn it is and the how-manyeth, and only that host's user can log in. The program
-- flightdeck-failover calls these functions as a user that may do nothing else. Only the clock of the database counts, and only for
-- when the turn changes: that two act at once is kept from happening by logins and sessions, not by clocks.
CREATE SCHEMA IF NOT EXISTS scheduler_lease;

CREATE TABLE IF NOT EXISTS scheduler_lease.lease (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  epoch bigint NOT NULL DEFAULT 0,
  holder text,
  acquired_at timestamptz,
  renewed_at timestamptz,
  -- Whose scheduler was started last.
  acted text,
  wished text,
  wished_at timestamptz
);
INSERT INTO scheduler_lease.lease DEFAULT VALUES ON CONFLICT DO NOTHING;

-- The hosts that may have a turn, written by a deployment alone.
CREATE TABLE IF NOT EXISTS scheduler_lease.node (
  host text PRIMARY KEY,
  login text NOT NULL UNIQUE CHECK (starts_with(login, 'airflow_sched_')),
  seen_at timestamptz,
  doing text NOT NULL DEFAULT ''
);

-- How long a turn lasts that nobody renews, and how long a host counts as there that was not heard of.
CREATE OR REPLACE FUNCTION scheduler_lease.ttl() RETURNS interval
  LANGUAGE sql IMMUTABLE AS $$SELECT interval '30 seconds'$$;
CREATE OR REPLACE FUNCTION scheduler_lease.presence() RETURNS interval
  LANGUAGE sql IMMUTABLE AS $$SELECT interval '15 seconds'$$;
-- How long a wish for another host counts: nobody waits for a switchover any more after that.
CREATE OR REPLACE FUNCTION scheduler_lease.patience() RETURNS interval
  LANGUAGE sql IMMUTABLE AS $$SELECT interval '120 seconds'$$;

-- Whether a moment was not long ago. One that lies ahead was written before the clock was put back, and says nothing.
CREATE OR REPLACE FUNCTION scheduler_lease.fresh(moment timestamptz, span interval) RETURNS boolean
  LANGUAGE sql AS $$SELECT coalesce(clock_timestamp() BETWEEN moment - span AND moment + span, false)$$;

-- The host that is wished for, when it is there.
CREATE OR REPLACE FUNCTION scheduler_lease.wanted() RETURNS text
  LANGUAGE sql AS $$
  SELECT host FROM scheduler_lease.node JOIN scheduler_lease.lease ON host = wished
  WHERE scheduler_lease.fresh(wished_at, scheduler_lease.patience()) AND scheduler_lease.fresh(seen_at, scheduler_lease.presence())$$;

-- The row, locked: everything that changes whose turn it is happens one after the other.
CREATE OR REPLACE FUNCTION scheduler_lease.locked() RETURNS scheduler_lease.lease
  LANGUAGE sql AS $$SELECT * FROM scheduler_lease.lease FOR UPDATE$$;

-- No scheduler can log in, those of hosts that are in no inventory any more included. Sessions go on.
CREATE OR REPLACE FUNCTION scheduler_lease.bar() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  login text;
BEGIN
  FOR login IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'airflow_sched_') AND rolcanlogin LOOP
    EXECUTE format('ALTER ROLE %I NOLOGIN', login);
  END LOOP;
END$$;

-- Says that a host is there, and fails for one that may have no turn.
CREATE OR REPLACE FUNCTION scheduler_lease.note(me text, now_doing text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE scheduler_lease.node SET seen_at = clock_timestamp(), doing = now_doing WHERE host = me;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'host % may have no turn: deploy the whole cluster', me USING ERRCODE = 'AL001';
  END IF;
END$$;

-- Takes the turn when nobody has it, it has run out, or it was mine: I might have died in the middle of it. Who asks has no scheduler, so
-- one who has the turn gives it up when another is wished for.
CREATE OR REPLACE FUNCTION scheduler_lease.acquire(me text, now_doing text) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  present scheduler_lease.lease := scheduler_lease.locked();
  next_epoch bigint;
BEGIN
  PERFORM scheduler_lease.note(me, now_doing);
  IF present.holder <> me AND scheduler_lease.fresh(present.renewed_at, scheduler_lease.ttl())
     OR coalesce(scheduler_lease.wanted(), me) <> me THEN
    IF present.holder = me THEN
      PERFORM scheduler_lease.bar();
      UPDATE scheduler_lease.lease SET holder = NULL RETURNING holder INTO present.holder;
    END IF;
    RETURN jsonb_build_object('epoch', NULL, 'holder', present.holder);
  END IF;
  UPDATE scheduler_lease.lease
    SET holder = me, epoch = epoch + 1, acquired_at = clock_timestamp(), renewed_at = clock_timestamp(), wished = NULL, wished_at = NULL
    RETURNING epoch INTO next_epoch;
  PERFORM scheduler_lease.bar();
  RETURN jsonb_build_object('epoch', next_epoch, 'holder', present.holder);
END$$;

-- Renews, and fails when it is not my turn any more.
CREATE OR REPLACE FUNCTION scheduler_lease.held(me text, my_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE scheduler_lease.lease SET renewed_at = clock_timestamp() WHERE holder = me AND epoch = my_epoch;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'it is not the turn % of % any more', my_epoch, me USING ERRCODE = 'AL002';
  END IF;
END$$;

-- Ends the sessions of all schedulers, mine of an earlier turn included, and says which it saw. A session that is being admitted belongs
-- to nobody yet; it may have passed its check before the logins were taken, and holds the lock on its transaction from before that.
-- Locks are looked at first: who is admitted in between is seen as a session. Those in stubborn are ended, too, and sessions of users that
-- are gone: they may have been schedulers'.
CREATE OR REPLACE FUNCTION scheduler_lease.fence(me text, my_epoch bigint, stubborn integer[]) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  starting integer[];
  sessions integer[];
BEGIN
  PERFORM scheduler_lease.held(me, my_epoch), scheduler_lease.note(me, 'fences');
  SELECT array_agg(DISTINCT pid) INTO starting FROM pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock';
  PERFORM pg_stat_clear_snapshot();
  SELECT array_agg(pid) INTO sessions FROM pg_stat_activity
    WHERE starts_with(usename::text, 'airflow_sched_') OR (usesysid IS NOT NULL AND usename IS NULL);
  SELECT array_agg(pid) INTO starting FROM unnest(starting) AS pid
    WHERE pid NOT IN (SELECT known.pid FROM pg_stat_activity AS known WHERE usesysid IS NOT NULL OR backend_type <> 'client backend');
  PERFORM pg_terminate_backend(pid) FROM unnest(sessions) AS pid;
  PERFORM pg_terminate_backend(pid) FROM unnest(starting) AS pid WHERE pid = ANY (stubborn);
  RETURN jsonb_build_object('sessions', coalesce(to_jsonb(sessions), '[]'), 'starting', coalesce(to_jsonb(starting), '[]'));
END$$;

-- Lets my user log in, nobody else's, and says whose scheduler acted before. Fails while a scheduler has a session.
CREATE OR REPLACE FUNCTION scheduler_lease.admit(me text, my_epoch bigint) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  present scheduler_lease.lease := scheduler_lease.locked();
BEGIN
  PERFORM scheduler_lease.held(me, my_epoch), scheduler_lease.note(me, 'acts');
  IF EXISTS (SELECT FROM pg_stat_activity WHERE starts_with(usename::text, 'airflow_sched_')) THEN
    RAISE EXCEPTION 'a scheduler has a session: it has to be fenced first' USING ERRCODE = 'AL002';
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN', (SELECT login FROM scheduler_lease.node WHERE host = me));
  UPDATE scheduler_lease.lease SET acted = me, wished = nullif(wished, me);
  RETURN jsonb_build_object('before', present.acted);
END$$;

-- Keeps the turn, and says which other host is wished for. Sessions of other schedulers have been seen to be gone; should a server that
-- was promoted since have admitted one by logins that were not the latest, it ends.
CREATE OR REPLACE FUNCTION scheduler_lease.renew(me text, my_epoch bigint, now_doing text) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM scheduler_lease.held(me, my_epoch), scheduler_lease.note(me, now_doing);
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE starts_with(usename::text, 'airflow_sched_') AND usename <> (SELECT login FROM scheduler_lease.node WHERE host = me);
  RETURN jsonb_build_object('wished', nullif(scheduler_lease.wanted(), me));
END$$;

-- Gives the turn back; the scheduler has ended.
CREATE OR REPLACE FUNCTION scheduler_lease.release(me text, my_epoch bigint) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM scheduler_lease.held(me, my_epoch), scheduler_lease.bar();
  UPDATE scheduler_lease.lease SET holder = NULL;
  RETURN '{}'::jsonb;
END$$;

-- For the operator: hand over to a host that is there.
CREATE OR REPLACE FUNCTION scheduler_lease.wish(wanted text) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM scheduler_lease.locked();
  IF NOT EXISTS (SELECT FROM scheduler_lease.node WHERE host = wanted AND scheduler_lease.fresh(seen_at, scheduler_lease.presence())) THEN
    RAISE EXCEPTION 'host % is unknown or was not heard of lately', wanted USING ERRCODE = 'AL003';
  END IF;
  UPDATE scheduler_lease.lease SET wished = wanted, wished_at = clock_timestamp();
  RETURN '{}'::jsonb;
END$$;

-- For the operator: nobody's turn, unless it is somebody's who lives. The epoch never goes back.
CREATE OR REPLACE FUNCTION scheduler_lease.clear() RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  present scheduler_lease.lease := scheduler_lease.locked();
BEGIN
  IF present.holder IS NOT NULL AND scheduler_lease.fresh(present.renewed_at, scheduler_lease.ttl()) THEN
    RAISE EXCEPTION 'it is the turn of %, who lives', present.holder USING ERRCODE = 'AL003';
  END IF;
  UPDATE scheduler_lease.lease SET holder = NULL, wished = NULL, wished_at = NULL;
  PERFORM scheduler_lease.bar();
  RETURN '{}'::jsonb;
END$$;

-- For the operator: all that is kept, with ages in seconds of this clock.
CREATE OR REPLACE FUNCTION scheduler_lease.look() RETURNS jsonb
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object(
    'now', clock_timestamp(), 'epoch', epoch, 'holder', holder, 'acquired_at', acquired_at, 'acted', acted,
    'wished', scheduler_lease.wanted(), 'wished_at', wished_at,
    'renewed_seconds', extract(epoch FROM clock_timestamp() - renewed_at)::float,
    'lives', holder IS NOT NULL AND scheduler_lease.fresh(renewed_at, scheduler_lease.ttl()),
    'nodes', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'host', host, 'login', login, 'may_log_in', coalesce(rolcanlogin, false), 'doing', doing,
        'seen_seconds', extract(epoch FROM clock_timestamp() - seen_at)::float,
        'there', scheduler_lease.fresh(seen_at, scheduler_lease.presence())) ORDER BY host)
      FROM scheduler_lease.node LEFT JOIN pg_roles ON rolname = login), '[]'))
  FROM scheduler_lease.lease$$;

-- The agents' user may call what is for agents and operators, and look at nothing itself.
REVOKE ALL ON SCHEMA scheduler_lease FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA scheduler_lease FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA scheduler_lease FROM PUBLIC;
GRANT USAGE ON SCHEMA scheduler_lease TO airflow_lease;
GRANT EXECUTE ON FUNCTION
  scheduler_lease.acquire, scheduler_lease.fence, scheduler_lease.admit, scheduler_lease.renew, scheduler_lease.release,
  scheduler_lease.wish, scheduler_lease.clear, scheduler_lease.look
  TO airflow_lease;
