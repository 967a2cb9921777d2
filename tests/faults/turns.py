"""What may happen to schedulers that take turns: faults, and a record of every commit of theirs in the order of commits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cluster import Cluster, wait
from faults import LOSS, SILENCE, Fault, Undo, cut_off, freeze_process, kill_host, kill_process, leader, pause_host, together

# A constraint trigger that is deferred fires at the end of its transaction. It waits there until all that were recorded before have
# committed, so that the numbers are in the order of commits.
RECORD = """
CREATE SCHEMA flightdeck_turns;
CREATE TABLE flightdeck_turns.record (
  n bigserial, kind text, transaction xid8 PRIMARY KEY DEFAULT pg_current_xact_id(), login text, epoch bigint, began timestamptz,
  at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION flightdeck_turns.commits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF starts_with(session_user, 'airflow_sched_') THEN
    PERFORM pg_advisory_xact_lock(280028);
    INSERT INTO flightdeck_turns.record (kind, login, began)
      SELECT 'commit', session_user, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
      ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END$$;
CREATE FUNCTION flightdeck_turns.begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(280028);
  INSERT INTO flightdeck_turns.record (kind, login, epoch)
    SELECT 'turn', login, NEW.epoch FROM scheduler_lease.node WHERE host = NEW.holder ON CONFLICT DO NOTHING;
  RETURN NULL;
END$$;
INSERT INTO flightdeck_turns.record (kind, login, epoch, at)
  SELECT 'turn', login, epoch, acquired_at FROM scheduler_lease.lease JOIN scheduler_lease.node ON host = holder;
"""
# A transaction for each table: one for all would lock them in an order of its own.
TABLES = ("public.task_instance", "public.dag_run", "public.job")
INSTALL = (
    RECORD,
    """CREATE TRIGGER flightdeck_turns AFTER UPDATE OF epoch ON scheduler_lease.lease
      FOR EACH ROW EXECUTE FUNCTION flightdeck_turns.begins()""",
    *(
        f"""CREATE CONSTRAINT TRIGGER flightdeck_turns AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION flightdeck_turns.commits()"""
        for table in TABLES
    ),
)
REMOVE = (
    *(f"DROP TRIGGER IF EXISTS flightdeck_turns ON {table}" for table in (*TABLES, "scheduler_lease.lease")),
    "DROP SCHEMA IF EXISTS flightdeck_turns CASCADE",
)
READ = """SELECT coalesce(json_agg(json_build_object('kind', kind, 'login', login, 'epoch', epoch,
  'began', extract(epoch FROM began), 'at', extract(epoch FROM at)) ORDER BY n), '[]') FROM flightdeck_turns.record"""


def taken(cluster: Cluster) -> bool:
    """Whether the cluster's schedulers take turns."""
    return bool(cluster.model["scheduler_mode"] == "singleton")


def psql(cluster: Cluster, *statements: str) -> str:
    """Output of statements, each a transaction, where the metastore is led."""
    commands = [word for statement in statements for word in ("--command", statement)]
    options = ("--username=postgres", "--dbname=airflow", "--quiet", "-At", "--set=ON_ERROR_STOP=1")
    return cluster.run(cluster.leader(), "psql", *options, *commands).strip()


@contextlib.contextmanager
def recorded(cluster: Cluster) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Keeps a record of all commits; what is yielded reads it."""
    psql(cluster, *REMOVE, *INSTALL)
    try:
        yield lambda: json.loads(psql(cluster, READ))
    finally:
        psql(cluster, *REMOVE)


def look(cluster: Cluster) -> dict[str, Any]:
    """What the metastore keeps about turns."""
    return dict(json.loads(psql(cluster, "SELECT scheduler_lease.look()")))


def holder(cluster: Cluster) -> str:
    """Whose turn it is."""
    return str(look(cluster)["holder"])


def other(cluster: Cluster) -> str:
    """A scheduler host whose turn it is not."""
    return next(host for host in cluster.hosts("scheduler") if host != holder(cluster))


@dataclass
class TurnFault(Fault):
    """A fault, the longest time between two commits of schedulers that is allowed, and how often the turn changes at least."""

    gap: float = 60
    changes: int = 1
    # One worker for all, which has to catch up before the next one in a row.
    every: float = 10
    body_seconds: float = 3
    bodies: int = 1

    def problem(self, cluster: Cluster) -> str:
        """As ever, and one scheduler acts while all others stand by."""
        if problem := cluster.problem():
            return problem
        seen = look(cluster)
        doing = sorted(node["doing"] if node["there"] else "gone" for node in seen["nodes"])
        wanted = ["acts", *["stands by"] * (len(doing) - 1)]
        return "" if seen["lives"] and doing == wanted else f"turns: {doing}"


def run_out(cluster: Cluster, _undo: Undo) -> None:
    """The turn runs out while its holder lives, as when the metastore's clock jumps forward by an hour.

    Containers share one clock, so it is the row that is put back, and again when the holder renewed it before the other saw that.
    """
    epoch = look(cluster)["epoch"]

    def problem() -> str:
        psql(cluster, f"UPDATE scheduler_lease.lease SET renewed_at = renewed_at - interval '1 hour' WHERE epoch = {epoch}")
        return "" if look(cluster)["epoch"] > epoch else "the turn is still the same"

    wait("the turn runs out", problem, 30)


def kill_child(cluster: Cluster, _undo: Undo) -> None:
    """Airflow's scheduler dies, its agent lives."""
    state = "/run/airflow-scheduler/state.json"
    cluster.run(holder(cluster), "python3", "-c", f"import json, os; os.kill(json.load(open('{state}'))['pid'], 9)")


def hand_over(cluster: Cluster, _undo: Undo) -> None:
    """As an operator does."""
    cluster.run(holder(cluster), "flightdeck-failover", "switchover", "--wait", "90", other(cluster))


def schedulers(cluster: Cluster) -> list[str]:
    """Where probes would be lost with the scheduler."""
    return cluster.hosts("scheduler")


# What else runs on the host of the scheduler is lost with it; the load balancers and brokers are on the hosts of the metastore.
_HOST: dict[str, Any] = {"probe_not_on": schedulers, "http": 8, "heal": 240}
# The metastore has to be led again before anybody can have a turn. That and the turn's end pass at the same time.
_STORE: dict[str, Any] = {**_HOST, "http": LOSS, "metastore": LOSS, "broker": SILENCE}
FAULTS = [
    TurnFault(
        "F28a", "the acting scheduler is killed", kill_process(holder, "airflow-scheduler", "all"), 0, probe_not_on=schedulers, guards=True
    ),
    TurnFault("F28b", "the agent of the acting scheduler is killed", kill_process(holder, "airflow-scheduler"), 0, probe_not_on=schedulers),
    TurnFault("F28c", "the acting scheduler's host is lost", kill_host(holder), 90, guards=True, **_HOST),
    TurnFault("F28d", "the acting scheduler's host is frozen", pause_host(holder), 90, guards=True, **_HOST),
    TurnFault("F28e", "the acting scheduler's host is cut off", cut_off(holder), 90, **_HOST),
    TurnFault("F28f", "it is lost together with the metastore's leader", together(kill_host(holder), kill_host(leader)), 90, **_STORE),
    TurnFault("F28g", "it is cut off while the metastore's leader is lost", together(cut_off(holder), kill_host(leader)), 90, **_STORE),
    # Its holder may be faster than the other one when the metastore is back, and keep its turn.
    TurnFault("F28h", "the metastore's leader is lost", kill_host(leader), 60, changes=0, **_STORE),
    TurnFault("F28i", "the turn runs out while its holder lives", run_out, 0, probe_not_on=schedulers),
    TurnFault("F28j", "the scheduler is handed over", hand_over, 0, probe_not_on=schedulers, guards=True),
    # Nobody but the metastore and systemd's watchdog is left to end its scheduler.
    TurnFault(
        "F28k",
        "the turn of a scheduler runs out whose agent is frozen",
        together(freeze_process(holder, "airflow-scheduler", "main"), run_out),
        30,
        probe_not_on=schedulers,
    ),
    # Its agent starts it again, and after three times in a row somebody else does.
    TurnFault("F28l", "the acting scheduler dies and its agent lives", kill_child, 0, probe_not_on=schedulers, changes=0),
]
