"""Backups of the metastore, restores to a time, and what is refused: on one server, then under Patroni."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
import testinfra
from cluster_access import ansible, changes, inventory, wait_until
from dag_runs import DagRuns
from interrupt import kill_runs

ROOT = Path(__file__).parents[3]
MORE = str(ROOT / "molecule/backup/inventory_patroni")
REPOSITORY = "/var/lib/pgbackrest"
CONFIRMED = ("-e", "airflow_confirm=airflow")


def play(name, *arguments):
    return ansible(str(ROOT / "playbooks" / name), *arguments, program="ansible-playbook", timeout=900)


def patroni(name, *arguments):
    return play(name, "-i", MORE, *arguments)


def killed(name, *arguments, longest):
    """Five runs of a playbook, each killed somewhere in its first ``longest`` seconds."""
    kill_runs(["ansible-playbook", "-i", inventory(), str(ROOT / "playbooks" / name), *arguments], 10, longest)


def refused(code, playing, *arguments):
    """The output of a playbook that ends with ``code`` and changes nothing."""
    with pytest.raises(RuntimeError, match=code) as found:
        playing(*arguments)
    return str(found.value)


def run_canary(cluster):
    """A run of the canary that succeeded."""
    runs = DagRuns(cluster)
    run = runs.start(instances={"default": 1}, seconds=1)
    runs.succeed(run)
    return run


def delete(cluster, run):
    runs = DagRuns(cluster)
    runs.delete(run)
    assert run not in runs.states()


def sql(host, statement, database="airflow"):
    command = "psql --username=postgres --dbname=%s --no-align --tuples-only --command=%s"
    return host.check_output(command, database, statement)


def now_of(host):
    """The time on the server; it has passed when this returns."""
    time = sql(host, "SELECT clock_timestamp()")
    wait_until(
        "it has passed", lambda: sql(host, f"SELECT clock_timestamp() > '{time}'::timestamptz + '1 s'") == "t", 10
    )
    return time


def info(host):
    """What pgBackRest says of the stanza."""
    command = "runuser -u postgres -- pgbackrest --stanza=airflow --output=json info"
    return json.loads(host.check_output(command))[0]


def server(name):
    """A metastore host, those of the other inventory too."""
    return testinfra.get_host(f"docker://fd-backup-{name}")


def leader():
    """The metastore host that takes writes."""
    return next(name for name in ("node1", "node2", "node3") if sql(server(name), "SELECT pg_is_in_recovery()") == "f")


def test_a_backup_is_made_encrypted_and_says_what_it_is_of(cluster, host_named):
    run_canary(cluster)
    assert "would be made" in play("backup.yml", "--check", "--diff")
    assert info(host_named("backup1")).get("backup") == []
    output = play("backup.yml", "-e", "airflow_backup_type=full")
    found = info(host_named("backup1"))
    assert found["cipher"] == "aes-256-cbc"
    (backup,) = found["backup"]
    assert re.search(rf"Backup {backup['label']} \(full\).* in \d+ s", output)
    manifest = json.loads(backup["annotation"]["flightdeck"])
    assert manifest["cluster"] == "airflow"
    assert manifest["airflow"] == cluster.model["version"]["full"]
    assert re.fullmatch(r"[0-9a-f]{16,}", manifest["dags"])
    assert "airflow" in {vhost["name"] for vhost in manifest["rabbitmq"]["vhosts"]}
    secrets = {name: value for name, value in cluster.secrets.items() if isinstance(value, str) and value}
    assert [name for name, value in secrets.items() if value in json.dumps(manifest)] == []
    assert "password_hash" not in json.dumps(manifest)
    play("backup.yml")
    assert [entry["type"] for entry in info(host_named("backup1"))["backup"]] == ["full", "diff"]
    assert re.search(r"^backup +backup1 +ok +2 backups", play("status.yml"), re.MULTILINE)


def test_timers_make_backups_when_the_inventory_says(host_named):
    host = host_named("backup1")
    timers = [f"flightdeck-backup@{kind}.timer" for kind in ("full", "diff", "incr")]
    assert all(host.service(timer).is_running and host.service(timer).is_enabled for timer in timers)
    host.check_output("systemctl start flightdeck-backup@incr.service")
    assert info(host)["backup"][-1]["type"] == "incr"


def test_a_restore_brings_back_what_was_deleted(cluster, host_named):
    node = host_named("node1")
    run = run_canary(cluster)
    time = now_of(node)
    later = run_canary(cluster)
    delete(cluster, run)
    assert "FD320" in refused("FD320", play, "restore.yml", "-e", f"airflow_restore_time='{time}'")
    refused("FD333", play, "restore.yml", "-e", "airflow_restore_time=yesterday", *CONFIRMED)
    refused("FD335", play, "restore.yml", "-e", "airflow_restore_time=2020-01-01T00:00:00Z", *CONFIRMED)
    play("restore.yml", "--check", "--diff", "-e", f"airflow_restore_time='{time}'")
    assert run not in DagRuns(cluster).states()
    play("restore.yml", "-e", f"airflow_restore_time='{time}'", *CONFIRMED)
    assert DagRuns(cluster).states()[run] == "success"
    assert later not in DagRuns(cluster).states()
    run_canary(cluster)
    (aside,) = node.check_output("ls -d /var/lib/postgresql/15/main.before-*").split()
    assert node.file(f"{aside}/PG_VERSION").exists
    assert changes(play("site.yml")) == {}


def test_backups_go_on_after_a_restore(host_named):
    play("backup.yml", "-e", "airflow_remove_replaced_data=true")
    assert host_named("node1").run("ls -d /var/lib/postgresql/15/main.before-*").rc != 0
    assert info(host_named("backup1"))["status"]["code"] == 0


def test_a_drill_proves_the_last_backup(host_named):
    before = sql(host_named("node1"), "SELECT pg_postmaster_start_time()")
    output = play("restore_drill.yml")
    label = info(host_named("backup1"))["backup"][-1]["label"]
    assert re.search(rf"Backup {label} was restored in \d+ s.*the Fernet key decrypts", output, re.DOTALL)
    assert sql(host_named("node1"), "SELECT pg_postmaster_start_time()") == before
    assert not host_named("backup1").file("/var/lib/postgresql/flightdeck-drill").exists
    assert f"last proven restore: {label}" in play("status.yml")


@pytest.mark.thorough
def test_backups_and_drills_that_were_killed_are_run_again(host_named):
    host = host_named("backup1")
    killed("backup.yml", "-e", "airflow_backup_type=full", longest=40)
    play("backup.yml", "-e", "airflow_backup_type=full")
    killed("restore_drill.yml", longest=40)
    assert "the Fernet key decrypts" in play("restore_drill.yml")
    assert not host.file("/var/lib/postgresql/flightdeck-drill").exists
    assert info(host)["status"]["code"] == 0
    assert changes(play("site.yml")) == {}


@pytest.mark.thorough
def test_a_restore_that_was_killed_anywhere_is_run_again(cluster, host_named):
    run = run_canary(cluster)
    arguments = ("-e", f"airflow_restore_time='{now_of(host_named('node1'))}'", *CONFIRMED)
    delete(cluster, run)
    killed("restore.yml", *arguments, longest=120)
    play("restore.yml", *arguments)
    assert DagRuns(cluster).states()[run] == "success"
    run_canary(cluster)
    play("backup.yml", "-e", "airflow_remove_replaced_data=true")
    assert changes(play("site.yml")) == {}


FAILING = "SELECT failed_count > 0 AND last_failed_time > last_archived_time FROM pg_stat_archiver"


def takes_nothing(cluster, node):
    """The repository takes no WAL: it is said, no backup begins, and the cluster goes on."""
    wait_until("the archive fails", lambda: sql(node, FAILING) == "t", 60)
    assert "the repository takes nothing" in refused("the repository takes nothing", play, "status.yml")
    refused("FD334", play, "backup.yml")
    run_canary(cluster)


def test_a_repository_that_is_gone_is_shown_and_the_cluster_goes_on(cluster, host_named):
    repository, node = host_named("backup1"), host_named("node1")
    repository.check_output("systemctl stop pgbackrest.service")
    try:
        sql(node, "CREATE TABLE public.gone AS SELECT 1; DROP TABLE public.gone; SELECT pg_switch_wal()")
        takes_nothing(cluster, node)
    finally:
        repository.check_output("systemctl start pgbackrest.service")
    wait_until("the archive goes on", lambda: sql(node, FAILING) == "f", 120)
    play("backup.yml")


def test_a_repository_that_is_full_is_shown_and_the_cluster_goes_on(cluster, host_named):
    repository, node = host_named("backup1"), host_named("node1")
    # A file system with what is in it, and 2 MiB more.
    small = f"""set -eu
mkdir -p /root/small
mount -t tmpfs -o mode=0750,size=$(( $(du -sk {REPOSITORY} | cut -f 1) + 2048 ))k tmpfs /root/small
chown --reference={REPOSITORY} /root/small
cp -a {REPOSITORY}/. /root/small/
mount --bind /root/small {REPOSITORY}"""
    repository.check_output(small)
    try:
        # What cannot be compressed to a tenth of that.
        words = "SELECT md5(random()::text) || md5(random()::text) AS word FROM generate_series(1, 200000)"
        sql(node, f"CREATE TABLE public.full_up AS {words}")
        sql(node, "DROP TABLE public.full_up; SELECT pg_switch_wal()")
        takes_nothing(cluster, node)
    finally:
        # What it took before it was full belongs to the archive.
        repository.check_output(f"umount {REPOSITORY} && cp -a /root/small/. {REPOSITORY}/ && umount /root/small")
    wait_until("the archive goes on", lambda: sql(node, FAILING) == "f", 120)
    play("backup.yml")
    assert re.search(r"metastore archive +\w+ +ok", play("status.yml"))


def test_a_damaged_archive_is_refused(cluster, host_named):
    repository = host_named("backup1")
    # A segment that lies between a backup and now.
    run_canary(cluster)
    sql(host_named("node1"), "SELECT pg_switch_wal()")
    play("backup.yml")
    path = repository.check_output(f"ls -t $(find {REPOSITORY}/archive/airflow -type f -name '0*-*') | head -n 1")
    repository.check_output(f"cp -p {path} /root/whole")
    repository.check_output(f"dd if=/dev/zero of={path} bs=1k seek=1 count=4 conv=notrunc")
    try:
        refused("FD336", play, "restore.yml", *CONFIRMED)
        assert "damaged" in refused("damaged", play, "status.yml")
    finally:
        repository.check_output(f"cp -p /root/whole {path}")
    repository.check_output("systemctl start flightdeck-backup@verify.service")


def test_a_damaged_repository_is_refused(cluster, host_named):
    repository = host_named("backup1")
    label = info(repository)["backup"][0]["label"]
    # Of the list of files there is a copy, and so no damage.
    found = f"find {REPOSITORY}/backup/airflow/{label} -type f -size +100k -not -name 'backup.manifest*'"
    path = repository.check_output(found).split()[0]
    repository.check_output(f"cp -p {path} /root/whole")
    repository.check_output(f"dd if=/dev/zero of={path} bs=1k seek=50 count=4 conv=notrunc")
    try:
        run = run_canary(cluster)
        refused("FD336", play, "restore.yml", *CONFIRMED)
        assert DagRuns(cluster).states()[run] == "success"
        refused("FD339", play, "restore_drill.yml", "-e", f"airflow_restore_set={label}")
        assert "damaged" in refused("damaged", play, "status.yml")
    finally:
        repository.check_output(f"cp -p /root/whole {path}")
    repository.check_output("systemctl start flightdeck-backup@verify.service")
    play("restore_drill.yml", "-e", f"airflow_restore_set={label}")


def test_patroni_goes_on_with_the_archive(host_named):
    patroni("stop.yml")
    patroni("grow_metastore.yml")
    patroni("backup.yml", "-e", "airflow_backup_type=full")
    # Read from a follower.
    log = host_named("backup1").check_output("journalctl --unit=flightdeck-backup@full.service --no-pager")
    assert re.search(r"wait for replay on the standby|backup.*standby", log)


def test_a_backup_works_after_a_change_of_the_leader():
    former = leader()
    patroni("switchover.yml")
    assert leader() != former
    patroni("backup.yml")
    assert re.search(r"metastore archive +\w+ +ok", patroni("status.yml"))


@pytest.mark.parametrize("kills", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_restore_under_patroni(cluster, kills):
    run = run_canary(cluster)
    arguments = ("-e", f"airflow_restore_time='{now_of(server(leader()))}'", *CONFIRMED)
    run_canary(cluster)
    delete(cluster, run)
    if kills:
        killed("restore.yml", "-i", MORE, *arguments, longest=180)
    patroni("restore.yml", *arguments)
    assert DagRuns(cluster).states()[run] == "success"
    assert leader() == "node1"
    streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
    wait_until("both follow", lambda: sql(server("node1"), streaming) == "2", 60)
    patroni("backup.yml")
    run_canary(cluster)


# HAProxy in front, because the server of moto ends connections without TLS's own end.
S3 = r"""set -eu
apt-get install --quiet=2 --yes --no-install-recommends curl haproxy python3-venv openssl
systemctl disable --quiet --now haproxy.service
python3 -m venv /opt/moto
/opt/moto/bin/pip install --quiet 'moto[server]==5.2.5'
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout /root/s3.key -out /root/s3.crt 2>/dev/null
cat /root/s3.crt /root/s3.key > /root/s3.pem
cat > /root/s3.cfg <<EOF
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen s3
  bind 127.0.0.1:9443 ssl crt /root/s3.pem
  server moto 127.0.0.1:9080
EOF
systemd-run --unit=s3 --setenv=S3_IGNORE_SUBDOMAIN_BUCKETNAME=true /opt/moto/bin/moto_server -H 127.0.0.1 -p 9080
systemd-run --unit=s3-tls haproxy -W -f /root/s3.cfg
"""
ASK = "curl --silent --show-error --fail --cacert /root/s3.crt 'https://localhost:9443/%s'"


def test_the_repository_may_be_in_a_bucket(monkeypatch, host_named):
    """Of a service with a CA of its own, on the repository host itself."""
    host = host_named("backup1")
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL", "")
    given = {"PIP_INDEX_URL": index, "HTTPS_PROXY": os.environ.get("HTTPS_PROXY", "")}
    environment = " ".join(f"{name}={value}" for name, value in given.items() if value)
    host.check_output(f"env {environment} sh -c {shlex.quote(S3)}")
    wait_until("the service answers", lambda: host.run(ASK % "").rc == 0, 60)
    monkeypatch.setenv("FLIGHTDECK_BUCKET", "backups")
    monkeypatch.setenv("FLIGHTDECK_BUCKET_CA", host.check_output("cat /root/s3.crt"))
    # A bucket that is not there.
    with pytest.raises(RuntimeError, match=r"FD334 the repository on backup1: found ERROR: .*404"):
        patroni("site.yml")
    host.check_output(f"{ASK} --request PUT" % "backups")
    patroni("site.yml")
    output = patroni("backup.yml", "-e", "airflow_backup_type=full")
    (label,) = (backup["label"] for backup in info(host)["backup"])
    assert label in output
    assert f"backup/airflow/{label}/backup.manifest" in host.check_output(ASK % "backups?list-type=2")
    drill = patroni("restore_drill.yml")
    assert re.search(rf"Backup {label} was restored in \d+ s.*the Fernet key decrypts", drill, re.DOTALL)
    assert re.search(r"^backup +backup1 +ok +1 backups", patroni("status.yml"), re.MULTILINE)
    assert host.file("/etc/pgbackrest/conf.d/secrets.conf").mode == 0o640
    assert changes(patroni("site.yml")) == {}
