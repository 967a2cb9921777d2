"""What pgBackRest says about backups, which one a restore takes, and which it may not."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.services import chosen_backup
from ansible_collections.flightdeck.airflow.plugins.module_utils import _backups
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import backup as backup_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.backups import definitions, manifest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import backups
from test_cluster import codes, defaults, host, plain, reference

BACKUP = _backups.Backup("20261129-021500F", "full", 1_000, 1_100, 5 * 1024**2, 1024**2, 7)
DIFF = _backups.Backup("20261129-021500F_20261130-021500D", "diff", 2_000, 2_100, 5 * 1024**2, 1024, 7)
OWN = {"cluster": "airflow", "airflow": "3.3.2", "postgresql": "15", "fernet_keys": ["aa", "bb"]}


def of(**changes):
    """A backup of the cluster itself, but for ``changes`` of what it says."""
    said = {**OWN, **changes}
    return _backups.Backup("20261129-021500F", "full", 1_000, 1_100, 5 * 1024**2, 1024**2, 7, manifest=said)


def answer(*backups, code=0, message="ok"):
    """What ``pgbackrest info`` says of ``backups``."""
    entries = [
        {
            "label": backup.label,
            "type": backup.kind,
            "timestamp": {"start": backup.start, "stop": backup.stop},
            "info": {"size": backup.size, "delta": 1, "repository": {"delta": backup.repository_size}},
            "database": {"id": 1, "repo-key": 1},
            "error": backup.damaged,
            "archive": {"start": "x", "stop": f"{backup.timeline:08X}0000000000000042"},
            "lsn": {"start": "0/0", "stop": f"{backup.end >> 32:X}/{backup.end & 0xFFFFFFFF:X}"},
            **({"annotation": {"flightdeck": json.dumps(backup.manifest)}} if backup.manifest else {}),
        }
        for backup in backups
    ]
    status = {"code": code, "message": message}
    return json.dumps([{"name": "airflow", "db": [{"id": 1, "system-id": 7}], "backup": entries, "status": status}])


def test_an_answer_is_read_oldest_first():
    assert _backups.parse(answer(DIFF, of())) == ([of(), DIFF], "")
    late = ended(1250, 4, 0x105000000)
    assert _backups.parse(answer(late)) == ([late], "")
    assert _backups.parse(answer(code=2, message="no valid backups")) == ([], "")
    assert _backups.parse(answer(code=3, message="missing stanza data")) == ([], "missing stanza data")
    for text in ("", "[]", "{}", "[{}]"):
        with pytest.raises(ValueError, match="no answer of pgbackrest info"):
            _backups.parse(text)


@pytest.mark.parametrize(
    ("label", "until", "expected"),
    [
        ("", None, DIFF),
        ("", 2_100, DIFF),
        ("", 2_099, BACKUP),
        ("", 1_099, None),
        (BACKUP.label, None, BACKUP),
        ("20201129-021500F", None, None),
    ],
)
def test_a_restore_takes_the_last_backup_that_ended_before(label, until, expected):
    assert _backups.chosen([BACKUP, DIFF], label, until) == expected


# A failover, a restore, another one, a failover; each says where and why its timeline was left.
HISTORY = _backups.parse_history(
    {
        "newest": 5,
        "made": {"2": 900, "3": 1030, "4": 1200, "5": 1300},
        "forks": [
            [1, "0/1000000", "no recovery target specified"],
            [2, "0/3000000", "before 2026-11-29 10:00:00.495906+00"],
            [3, "0/4000000", "before 2026-11-29 11:00:00.495906+00"],
            [4, "1/5000000", "no recovery target specified"],
        ],
    }
)


@pytest.mark.parametrize(
    ("until", "timeline"),
    [
        (None, 5),
        (1400, 5),
        (1300, 5),
        # Before a failover, the newest one has what was before.
        (1250, 5),
        # Another run of the same restore, and what it had thrown away.
        (1199, 3),
        (1030, 3),
        (1029, 2),
        (800, 2),
    ],
)
def test_a_time_is_looked_for_on_the_timeline_that_was_lived_then(until, timeline):
    assert HISTORY.timeline(until) == timeline
    assert _backups.History().timeline(until) == 1


def ended(stop, timeline, end):
    return _backups.Backup(f"at {stop}", "full", stop, stop, 1, 1, 7, timeline=timeline, end=end)


def test_a_restore_takes_a_backup_from_which_the_log_leads_there():
    early, thrown_away, late = ended(1000, 2, 0x2000000), ended(1100, 3, 0x4000001), ended(1250, 4, 0x5000000)
    every = [early, thrown_away, late]
    assert _backups.chosen(every, "", 1150, HISTORY) == thrown_away
    assert _backups.chosen(every, "", 1240, HISTORY) == early
    assert _backups.chosen([early, thrown_away], "", None, HISTORY) == early
    assert _backups.chosen(every, "", None, HISTORY) == late
    assert _backups.chosen(every, thrown_away.label, 1400, HISTORY) is None
    # The backup alone, without what was written after it.
    assert _backups.chosen(every, thrown_away.label, None, HISTORY) == thrown_away
    # A repository that is younger than the timelines.
    assert _backups.chosen([late], "", None, _backups.History()) == late
    assert chosen_backup(answer(late), "", "", {})["timeline"] == "latest"
    assert chosen_backup(answer(late), late.label, "", {})["timeline"] == "current"
    (problem,) = backups.check_backup([thrown_away], "", "", OWN, "3.3.2", HISTORY)
    assert problem.code == "FD335"


def test_what_a_restore_replaced_is_taken_by_its_label_only():
    replaced = _backups.Backup("20261130-021500F-before-restore", "replaced", 3_000, 3_100, 1, 1, 0)
    assert _backups.chosen([BACKUP, replaced]) == BACKUP
    assert _backups.chosen([BACKUP, replaced], replaced.label) == replaced
    assert backups.check_target("", replaced.label, 0) == []
    assert _backups.age_row([replaced], "", 36, 3_100) == (False, "no backup yet; run flightdeck.airflow.backup")


DUMPED = {"airflow_metastore_url": "postgresql://app:p@db.example.org/airflow"}
REPOSITORY = host("backup1", 151, "backup")
EXTERNAL = [*(each for each in reference() if each.name != "db1"), REPOSITORY]


def test_dumps_are_made_of_an_external_postgresql():
    found = plain(EXTERNAL, defaults(**DUMPED))["nodes"]["backup1"]
    assert found["backup"]["method"] == "dump"
    assert found["backup"]["command"] == ["/usr/local/sbin/flightdeck-dump"]
    assert found["backup"]["database"]["secret"] == "metastore_url"
    # Nothing connects to it, and the managed one's port is closed.
    assert found["ports"] == []
    owner = {**DUMPED, "airflow_metastore_owner_url": DUMPED["airflow_metastore_url"]}
    assert plain(EXTERNAL, defaults(**owner))["nodes"]["backup1"]["backup"]["database"]["secret"] == (
        "metastore_owner_url"
    )
    managed = plain([*reference(), REPOSITORY], defaults())["nodes"]["backup1"]["backup"]
    assert (managed["method"], managed["command"]) == ("pgbackrest", ["pgbackrest", "--stanza=airflow"])
    assert managed["database"] == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"airflow_tls": False}, []),
        # Each schedule makes a dump.
        ({"airflow_backup_incr_schedule": "hourly"}, []),
        ({"airflow_backup_keep_diff": 3}, ["FD369"]),
        (
            {"airflow_backup_s3_bucket": "a", "airflow_backup_s3_endpoint": "b", "airflow_backup_s3_region": "c"},
            ["FD369"],
        ),
        (
            {"airflow_metastore_engine": "mysql", "airflow_metastore_url": "mysql://app:p@db.example.org/airflow"},
            ["FD159"],
        ),
    ],
)
def test_what_does_not_go_with_dumps_is_refused(changes, expected):
    assert codes(EXTERNAL, **{**DUMPED, **changes}) == expected


def test_a_dump_has_no_time_between_two():
    (problem,) = backups.check_target("2026-11-29 11:00:00+00:00", "", 0, dumps=True)
    assert str(problem).startswith("FD370 airflow_restore_time: found 2026-11-29 11:00:00+00:00")


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("1970-01-01 01:00:00+01:00", 0),
        ("1970-01-01T00:00:00Z", 0),
        # As PostgreSQL writes it.
        ("1970-01-01 01:00:00.5+01", 0.5),
    ],
)
def test_a_time_has_an_offset(time, seconds):
    assert _backups.target_seconds(time) == seconds
    assert backups.check_target(time, "", 10) == []


@pytest.mark.parametrize("time", ["yesterday", "2026-11-29", "2026-11-29 11:00:00", "2026-11-29 11:00:00+00:00"])
def test_other_times_are_refused(time):
    (problem,) = backups.check_target(time, "", 10)
    assert str(problem).startswith("FD333 airflow_restore_time: found ")


def test_a_label_and_a_type_have_their_form():
    assert backups.check_target("", DIFF.label, 0) == []
    assert str(backups.check_target("", "latest", 0)[0]).startswith("FD333 airflow_restore_set: found 'latest'")
    assert [backups.check_type(kind) for kind in ("full", "diff", "incr")] == [[], [], []]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"airflow": "3.2.2"}, None),
        ({"airflow": "3.10.0"}, "Set airflow_version: 3.10.0"),
        ({"cluster": "other"}, "a backup of cluster other"),
        ({"fernet_keys": ["bb"]}, None),
        ({"fernet_keys": ["cc"]}, "another Fernet key"),
        ({"postgresql": "17"}, "data of PostgreSQL 17"),
    ],
)
def test_a_backup_has_to_be_one_of_this_cluster(changes, words):
    problems = backups.check_answer(answer(of(**changes)), "", "", OWN, "3.3.2")
    assert len(problems) == (words is not None)
    assert all(str(problem).startswith("FD337 ") and words in str(problem) for problem in problems)


def test_what_there_is_not_is_not_restored():
    (early,) = backups.check_answer(answer(of()), "", "1970-01-01T00:18:00Z", OWN, "3.3.2")
    assert str(early).startswith("FD335 the repository: found 20261129-021500F (full, ended 1970-01-01 00:18:20+00)")
    # A named backup that ended after the time.
    (late,) = backups.check_answer(answer(of()), BACKUP.label, "1970-01-01T00:18:00Z", OWN, "3.3.2")
    assert str(late).startswith("FD335 ")
    (gone,) = backups.check_answer(answer(code=3, message="missing stanza data"), "", "", OWN, "3.3.2")
    assert str(gone).startswith("FD334 the repository: found missing stanza data")


def test_room_is_needed_for_the_data_and_some():
    assert backups.check_room({"db1": 517}, BACKUP.size) == []
    (problem,) = backups.check_room({"db1": 516, "db2": 517}, BACKUP.size)
    assert str(problem).startswith(
        "FD338 /var/lib/postgresql of host db1: found 516 MiB free; expected at least 517 MiB"
    )


@pytest.mark.parametrize(
    ("made", "problem", "now", "good", "words"),
    [
        ([BACKUP], "", 1_100 + 35 * 3600, True, "1 backups, the last 20261129-021500F (full, ended 1970"),
        ([BACKUP], "", 1_100 + 37 * 3600, False, "37 hours ago; expected at most 36"),
        ([], "", 0, False, "no backup yet"),
        ([], "no route", 0, False, "cannot be used: no route"),
    ],
)
def test_the_line_of_the_report(made, problem, now, good, words):
    found, line = _backups.age_row(made, problem, 36, now)
    assert found is good
    assert words in line


def test_a_manifest_has_fingerprints_in_the_place_of_secrets():
    secrets = Secrets({"digest_key": "d" * 16, "fernet_key": "one,two", "admin_password": "three"})
    said = manifest("airflow", "3.3.2", "15", secrets)
    assert said["cluster"] == "airflow"
    assert len(set(said["fernet_keys"])) == 2
    assert set(said["secrets"]) == {"fernet_key", "admin_password"}
    assert not [value for value in secrets.values.values() if value in json.dumps(said)]
    # Half of a rotation later it is still the same cluster.
    rotated = Secrets({**secrets.values, "fernet_key": "two,four"})
    assert set(manifest("airflow", "3.3.2", "15", rotated)["fernet_keys"]) & set(said["fernet_keys"])


def test_definitions_of_the_broker_have_no_passwords():
    exported = {
        "users": [{"name": "airflow", "password_hash": "x9", "tags": ["a"]}],
        "vhosts": [{"name": "airflow"}],
        "parameters": [{"value": {"src-uri": "amqp://a:x9@b"}}],
    }
    kept = {"vhosts": [{"name": "airflow"}], "users": [{"name": "airflow", "tags": ["a"]}]}
    assert definitions(exported) == kept


BUCKET = {
    "airflow_backup_s3_bucket": "backups",
    "airflow_backup_s3_endpoint": "s3.example.org:9000",
    "airflow_backup_s3_region": "eu-central-1",
}
KEY = {"airflow_backup_s3_access_key_id": "AKIA", "airflow_backup_s3_secret_access_key": "k/e+y"}


@pytest.mark.parametrize(
    ("given", "faulty"),
    [
        ({}, []),
        (BUCKET, []),
        (BUCKET | KEY, []),
        (KEY, ["access_key_id", "secret_access_key"]),
        ({"airflow_backup_s3_region": "eu"}, ["region"]),
        ({"airflow_backup_s3_bucket": "backups"}, ["endpoint", "region"]),
        (BUCKET | {"airflow_backup_s3_endpoint": "https://s3.example.org"}, ["endpoint"]),
        (BUCKET | {"airflow_backup_s3_access_key_id": "AKIA"}, ["access_key_id"]),
        (BUCKET | KEY | {"airflow_backup_s3_secret_access_key": "key\n"}, ["secret_access_key"]),
        (BUCKET | {"airflow_backup_s3_ca": "/etc/ca.crt"}, ["ca"]),
        (BUCKET | {"airflow_backup_s3_ca": "\u00e4\u200b"}, ["ca"]),
    ],
)
def test_a_bucket_is_described_as_a_whole(given, faulty):
    problems = backups.check_bucket(defaults(**given))
    assert [problem.where.removeprefix("airflow_backup_s3_") for problem in problems] == faulty
    assert {problem.code.name for problem in problems} <= {"FD359"}
    assert "k/e+y" not in "".join(map(str, problems))


def test_the_key_of_a_bucket_is_named_in_the_model_and_not_shown():
    server = host("db1", 131, "metastore")
    share = backup_model.repository([server], defaults(**BUCKET, **KEY, airflow_backup_s3_ca="PEM"))
    assert share.bucket is not None
    assert (share.bucket.secret, share.bucket.ca) == ("backup_s3_secret_access_key", "backup_s3_ca")
    assert "k/e+y" not in repr(share)
    assert backup_model.repository([server], defaults()).bucket is None


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("2026-12-01T06:55:19Z", "2026-12-01 06:55:19+00"),
        ("2026-12-01 06:55:19.912345+00", "2026-12-01 06:55:19.912345+00"),
        ("2026-12-01 08:55:19.5+02", "2026-12-01 06:55:19.500000+00"),
        ("2026-12-01 00:00:00+00", "2026-12-01 00:00:00+00"),
    ],
)
def test_a_target_loses_no_part_of_a_second(asked, target):
    assert _backups.moment(_backups.target_seconds(asked)) == target
