"""Ranges, forms and paths of every variable."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import addresses
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values as values_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import defaults, variables


def codes(**values):
    return [problem.code for problem in values_validation.check_values(values, "3.3.2")]


def test_every_default_is_good():
    values = {name: value for name, value in variables().items() if not (isinstance(value, str) and "{{" in value)}
    assert values_validation.check_values(values, "3.3.2") == []
    assert values_validation.check_relations(defaults(), {"worker1": 600}) == []


@pytest.mark.parametrize("name", sorted(values_validation.RANGES))
def test_ranges_include_their_ends_and_nothing_beyond(name):
    low, high, _why = values_validation.RANGES[name]
    assert codes(**{name: low}) == codes(**{name: high}) == []
    assert codes(**{name: low - 1}) == codes(**{name: high + 1}) == ["FD116"]
    assert low <= variables()[name] <= high


GOOD = {
    "airflow_cluster_name": ["airflow", "Prod-2", "a"],
    "airflow_user": ["airflow", "_svc-1"],
    "airflow_admin_user": ["admin", "jane.doe@example.org"],
    "airflow_admin_email": ["a@b"],
    "airflow_worker_memory_max": ["infinity", "4G", "512M", "80%", "99.5%", "1073741824"],
    "airflow_url": [
        "",
        "https://airflow.example.org",
        "HTTPS://Airflow.Example.org:443/",
        "http://192.0.2.1:8080/airflow",
        "http://[2001:db8::1]:8080",
        "https://example.org/team-1/air_flow/v2.0//",
    ],
    "airflow_http_proxy": ["", "http://proxy.example.org:3128", "https://[2001:db8::9]:3128/"],
    "airflow_vip_interface": ["", "eth0", "bond0.100", "enp3s0f1", "br-lan_1"],
    "airflow_sqs_region": ["", "eu-central-1", "us-gov-west-1", "elasticmq"],
    "airflow_no_proxy": [[], ["intranet.example.org", ".example.net", "192.0.2.7", "2001:db8::7"]],
    "airflow_trusted_proxies": [[], ["192.0.2.1", "192.0.2.0/24", "2001:db8::/64"]],
    "airflow_package_index_url": ["https://user:secret@packages.example.org/simple", "file:///srv/wheels", ""],
    "airflow_sqs_endpoint_url": ["", "https://sqs.example.org", "http://192.0.2.1:9324/"],
    "airflow_package_proxy": ["http://proxy:3128", ""],
    "airflow_home": ["/var/lib/airflow", "/srv/airflow", "/home/airflow/home"],
    "airflow_uv_cache_dir": ["/root/.cache/uv"],
    "airflow_package_ca_file": ["", "/etc/ssl/certs/ca-certificates.crt"],
    "airflow_dags_dir": ["", "~/dags", "/srv/my dags"],
    "airflow_extra_packages": [
        [],
        [
            "apache-airflow-providers-ssh==5.0.0",
            "pandas[excel] >= 2, < 3",
            "x; python_version < '3.12'",
            "a @ https://example.org/a.whl",
        ],
        # An account alone is no secret.
        [
            "x @ git+ssh://git@git.example.org/x.git",
            "y @ git+https://git.example.org/y.git@v1",
            "z @ git+https://me@git.example.org/z.git",
        ],
    ],
    "airflow_extra_groups": [[], ["docker", "video"]],
    "airflow_uid": [0, 998, 20001],
    "airflow_gid": [0, 998],
    "airflow_system_packages": [["libpq-dev", "g++", "libc6:amd64", "curl=7.88.1-10+deb12u8"]],
    "airflow_package_extra_index_urls": [["https://packages.example.org/simple"]],
    "airflow_config_extra_sections": [["my_plugin", "dbt.cloud"]],
    "airflow_environment": [
        {"TZ": "UTC", "HTTP_PROXY": "http://proxy:3128", "EMPTY": "", "NUMBER": 3, "AIRFLOW_CONN_X": "http://host/"},
        {"PYTHONPATH": "/srv/lib:/etc/airflow/python"},
        # Names of options are checked where all options are.
        {
            "VAULT_TOKEN_FILE": "/etc/token",
            "AWS_PROFILE": "team",
            "EMPTY_PASSWORD": "",
            "AIRFLOW__CORE__FERNET_KEY_SECRET": "x",
        },
        # Airflow reads a truth value and a number as they are meant, and expands variables itself.
        {
            "AIRFLOW__CORE__LOAD_EXAMPLES": False,
            "AIRFLOW__X__RATE": 0.5,
            "AIRFLOW__CORE__PLUGINS_FOLDER": "$AIRFLOW_HOME/plugins",
        },
        # A name that ends like that of a secret, and a value that is none.
        {
            "SSL_KEY": "/etc/ssl/private/x.key",
            "AWS_ACCESS_KEY_ID": "AKIA0",
            "SORT_KEY": "3",
            "SENTRY_DSN": "https://public@sentry.example.org/1",
        },
        {
            "PATH": "/opt/airflow/current/bin:/usr/lib/jvm/bin:/usr/bin:/bin",
            "PRICE": "5 $",
            "REGEX": "^a$",
            "NO_PROXY": "localhost,192.0.2.1",
            "TOKENIZERS": "a",
            "COMPASS": "north",
        },
    ],
    "airflow_failover_email_host": [
        "",
        "mail",
        "smtp.example.org",
        "192.0.2.9",
        "2001:db8::9",
        "::1",
        "::ffff:192.0.2.9",
    ],
    "airflow_postgresql_config": [
        {"work_mem": "64MB", "pg_stat_statements.max": 5000, "fsync": True, "shared_preload_libraries": ["a"]},
        {"max_slot_wal_keep_size": "-1", "max_wal_senders": 20, "synchronous_commit": "remote_apply"},
        {"max_slot_wal_keep_size": "10 GB"},
        {"fsync": "yes", "autovacuum": "tr", "zero_damaged_pages": "f", "max_connections": " 300 "},
        {"default_transaction_isolation": "read committed"},
    ],
}
BAD = {
    "airflow_cluster_name": ["", "two words", "a/b", "-a", "a-", "x" * 64, "näme", "a\n"],
    "airflow_user": ["root", "postgres", "Airflow", "a b", "x" * 32, ""],
    "airflow_admin_user": ["", "a b", "-x"],
    "airflow_admin_email": ["nobody", "a b@c", "a@b@c"],
    "airflow_vip_interface": ["eth0\n", "eth 0", "a/b", "eth0:1", "eth0@if2", "x" * 16, "..", "#", "$A", "{"],
    "airflow_sqs_region": ["Europe (Frankfurt)", "eu-central-1\n", "a/b", "a@b"],
    "airflow_worker_memory_max": ["", "4", "100M", "4GB", "4 G", "120%", "0%", "none", "-1"],
    "airflow_url": [
        "airflow.example.org",
        "ftp://x",
        "https://",
        "http://u:hunter2@x",
        "http://x/?a=1",
        "http://x/?",
        "http://x/#",
        "https://x/a b",
        "https://x/a//b",
        "https://x/a/../b",
        "https://x/%61",
        "https://x/a:b",
        "https://x/.a",
        "https://x/execution",
        "https://x/api/v2",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://[fe80::1]",
        "https://[fe80::1%25eth0]",
        "https://[::ffff:192.0.2.1]",
        "http://x y",
        "http://x:99999",
        "http://x:0",
    ],
    "airflow_http_proxy": [
        "proxy:3128",
        "socks5://proxy:1080",
        "http://u:hunter2@proxy:3128",
        "http://proxy:3128/path",
    ],
    "airflow_no_proxy": [["192.0.2.0/24"], ["http://x"], ["x:80"], ["*"], ["*.example.org"], [""]],
    "airflow_trusted_proxies": [
        ["proxy.example.org"],
        ["192.0.2.1/24"],
        ["0.0.0.0/0"],
        ["::/0"],
        ["fe80::1%eth0"],
        ["::ffff:192.0.2.1"],
    ],
    "airflow_package_index_url": ["packages.example.org", "http://", "file://relative"],
    "airflow_package_proxy": ["proxy:3128", "http://999.1.1.1:3128"],
    "airflow_home": [
        "",
        "relative",
        "~/airflow",
        "/",
        "/var/lib",
        "/var/lib/",
        "/etc/airflow",
        "/tmp/x",
        "/a b",
        "/a/../b",
        "/a%i",
        "/opt",
    ],
    "airflow_log_dir": ["/var/log", "/run/airflow", "/var/log/postgresql"],
    "airflow_uv_cache_dir": ["/var/cache", "cache"],
    "airflow_package_ca_file": ["ca.pem"],
    "airflow_dags_dir": ["dags", "./dags"],
    "airflow_release_cache": ["", "cache"],
    "airflow_secrets_file": ["secrets.yml"],
    "airflow_extra_packages": [
        ["-r requirements.txt"],
        ["--index-url=https://u:hunter2@x"],
        ["./dir"],
        ["apache-airflow==3.0"],
        ["Apache_Airflow.core"],
        ["a==1", "A==2"],
        ["a @ https://u:hunter2@example.org/a.whl"],
        ["a == 1 b"],
        ["a @ git+https://ghp_hunter2hunter2hunter2@github.com/x/a.git"],
        ["a @ git+ssh://git:hunter2@git.example.org/x/a.git"],
    ],
    "airflow_extra_groups": [["root"], ["postgres"], ["two words"]],
    "airflow_uid": [-1, 4294967295],
    "airflow_gid": [-1],
    "airflow_system_packages": [["Libpq"], ["-y"], ["a b"]],
    "airflow_package_extra_index_urls": [["x"]],
    "airflow_config_extra_sections": [["My Plugin"]],
    "airflow_environment": [
        {"1X": "a"},
        {"A B": "a"},
        {"X": "a\nb"},
        {"X": ["a"]},
        {"AIRFLOW_HOME": "/x"},
        {"AIRFLOW_CONFIG": "/x"},
        {"PYTHONPATH": "/srv/lib"},
        {"AIRFLOW_CONN_DB": "postgres://me:hunter2@db/x"},
        {"AIRFLOW_CONN_DB": '{"conn_type": "http", "password": "hunter2"}'},
        {"AWS_SECRET_ACCESS_KEY": "hunter2"},
        {"AWS_SESSION_TOKEN": "hunter2"},
        {"db_password": "hunter2"},
        {"PGPASSWORD": "hunter2"},
        {"MYSQL_PWD": "hunter2"},
        {"HTTPS_PROXY": "http://user:hunter2@proxy:3128"},
        {"https_proxy": "http://hunter2@proxy:3128"},
        {"SENTRY_DSN": "https://public:hunter2@sentry.example.org/1"},
        {"DATABASE_URL": "redis://:hunter2@cache:6379/0"},
        {"DSN": "host=db user=me password=hunter2"},
        {"HOOK": "https://hooks.example.org/x?token=hunter2"},
        {"STRIPE_KEY": "hunter2"},
        {"OPENAI_API_KEY": "hunter2"},
        {"GITHUB": "ghp_hunter2hunter2hunter2hunter2"},
        {"AIRFLOW_CONN_X": "http://host/?password=hunter2"},
        {"AIRFLOW_VAR_DB_PASSWORD": "hunter2"},
        {"HTTP_PROXY": None},
        {"DEBUG": True},
        {"RELEASE": 3.10},
        {"SINCE": datetime.date(2026, 1, 1)},
        {"PATH": "$PATH:/opt/x/bin"},
        {"PATH": "/usr/lib/jvm/bin:/usr/bin:/bin"},
        {"LONG": "x" * 140_000},
        {"LIB": "${HOME}/lib"},
        {"BELL": "a\x07"},
        {"airflow__core__parallelism": "4"},
        {"AIRFLOW__CORE": "4"},
        {"AIRFLOW__core__parallelism": "4"},
    ],
    "airflow_sqs_endpoint_url": ["https://gateway.example.org/sqs", "https://u:hunter2@sqs.example.org"],
    "airflow_failover_email_host": ["smtp.example.org:587", "192.0.2.9:25", "a b", "user@mail"],
    "airflow_postgresql_config": [
        {"port": 5433},
        {"Listen_Addresses": "*"},
        {"work mem": 1},
        {"include": "x"},
        {"fsync": "off"},
        {"full_page_writes": False},
        {"work_mem": {"a": 1}},
        {"work_mem": None},
        {"work_mem": "1\n2"},
        {"ssl": False},
        {"synchronous_standby_names": "*"},
        {"synchronous_commit": "local"},
        {"synchronous_commit": False},
        {"wal_level": "minimal"},
        {"autovacuum": "off"},
        {"max_wal_senders": 0},
        {"max_slot_wal_keep_size": "100MB"},
        {"max_slot_wal_keep_size": 0},
        # PostgreSQL takes the beginning of a truth value's name for it.
        {"fsync": "of"},
        {"fsync": "F"},
        {"full_page_writes": "n"},
        {"zero_damaged_pages": "t"},
        {"max_wal_senders": "0x2"},
        {"max_connections": "5e1"},
        {"default_transaction_isolation": "Serializable"},
        {"default_transaction_isolation": "repeatable read"},
        {"search_path": "airflow"},
        {"client_encoding": "latin1"},
    ],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_good_values_pass(name, value):
    assert codes(**{name: value}) == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_one_problem_that_shows_no_login(name, value):
    problems = values_validation.check_values({name: value}, "3.3.2")
    assert len(problems) == 1
    assert problems[0].code in ("FD116", "FD117", "FD119", "FD126", "FD134", "FD139", "FD151")
    assert name in problems[0].where
    assert "hunter2" not in report(problems)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (["default", {"name": "gpu", "concurrency": 2}, {"name": "x"}, 7], 0),
        ([{"name": "gpu", "concurency": 2}], 1),
        ([{"concurrency": 2}], 1),
        ([{"name": "gpu", "concurrency": True}], 1),
        ([["gpu"]], 1),
        ([None], 1),
        (None, 0),
    ],
)
def test_entries_of_queues(value, count):
    problems = values_validation.check_queue_entries("airflow_worker_queues", value)
    assert [problem.code for problem in problems] == ["FD115"] * count


@pytest.mark.parametrize(
    ("concurrency", "good"),
    [
        *((value, True) for value in (0, 4, "4", None, 1000)),
        *((value, False) for value in ("many", -1, 1.5, [2], 1001)),
    ],
)
def test_the_concurrency_of_a_queue_is_a_number(concurrency, good):
    problems = values_validation.check_queue_entries(
        "airflow_worker_queues", [{"name": "gpu", "concurrency": concurrency}]
    )
    assert [problem.code for problem in problems] == ([] if good else ["FD112"])
    assert all(f"concurrency {concurrency!r} of queue 'gpu'" in str(problem) for problem in problems)


@pytest.mark.parametrize(
    ("changes", "drain", "where"),
    [
        ({"airflow_max_task_seconds": 300}, 600, "airflow_max_task_seconds"),
        ({"airflow_max_task_seconds": 600}, 600, None),
        ({"airflow_root": "/var/lib/airflow/opt"}, 600, "airflow_root"),
        ({"airflow_home": "/opt/airflow/home"}, 600, "airflow_root"),
        ({"airflow_log_dir": "/var/lib/airflow"}, 600, "airflow_log_dir"),
        ({"airflow_log_dir": "/var/lib/airflow/logs"}, 600, None),
        ({"airflow_url": "HTTP://airflow.example.org:8080"}, 600, "airflow_url"),
        ({"airflow_url": "https://airflow.example.org", "airflow_tls": False}, 600, None),
        ({"airflow_url": "http://airflow.example.org", "airflow_tls": False}, 600, None),
        ({"airflow_web_key_file": "/x", "airflow_tls": False}, 600, "airflow_web_key_file"),
        (
            {"airflow_web_key_file": "/x", "airflow_web_certificate_file": "/y", "airflow_tls": False},
            600,
            "airflow_web_certificate_file and airflow_web_key_file",
        ),
        ({"airflow_proxy_protocol": True}, 600, "airflow_proxy_protocol"),
        ({"airflow_proxy_protocol": True, "airflow_trusted_proxies": ["192.0.2.1"]}, 600, None),
        ({"airflow_no_proxy": ["a"]}, 600, "airflow_no_proxy"),
    ],
)
def test_variables_that_contradict_each_other(changes, drain, where):
    problems = values_validation.check_relations(defaults(**changes), {"worker1": drain})
    assert [(problem.code, problem.where) for problem in problems] == ([("FD129", where)] if where else [])


@given(st.text())
def test_no_url_breaks_the_check(text):
    fault = values_validation.url_problem(text, ("http", "https"), plain=True)
    if not fault:
        assert text.lower().startswith(("http://", "https://"))
        assert not any(character.isspace() for character in text)


@pytest.mark.parametrize(
    ("host", "good"),
    [
        *((host, True) for host in ("192.0.2.1", "2001:db8::1", "db1", "db1.example.org", "fd-lab_1")),
        *(
            (host, False)
            for host in ("fe80::1%eth0", "256.1.1.1", "10.0.0", "http://x", "x:80", "", "a..b", "-a", "192.0.2.0/24")
        ),
    ],
)
def test_hosts(host, good):
    assert addresses.is_host(host) is good


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"airflow_url": "http://airflow.example.org:8080"}, "airflow_url"),
        ({"airflow_url": "http://airflow.example.org:8080", "airflow_tls": False}, None),
        ({"airflow_url": "https://airflow.example.org", "airflow_tls": False}, None),
        ({"airflow_tls": False, "airflow_web_certificate_file": "/x"}, "airflow_web_certificate_file"),
        ({"airflow_tls": False, "airflow_web_key_file": "/x"}, "airflow_web_key_file"),
    ],
)
def test_what_does_not_fit_to_tls_is_refused(changes, where):
    problems = values_validation.check_relations(defaults(**changes), {})
    assert [(problem.code, problem.where) for problem in problems] == ([("FD129", where)] if where else [])


def test_names_are_replaced_by_their_addresses():
    names = {"lb1": ["192.0.2.10", "192.0.2.11"], "lb2": []}
    assert addresses.resolved(["127.0.0.1", "lb1", "lb2", "192.0.2.10"], names) == [
        "127.0.0.1",
        "192.0.2.10",
        "192.0.2.11",
        "lb2",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", ":Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3"])
def test_time_zones_of_tasks(zone):
    assert values_validation.check_values({"airflow_environment": {"TZ": zone}}, "3.3.2") == []


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "berlin", "+02:00", ""])
def test_no_time_zones_of_tasks(zone):
    (problem,) = values_validation.check_values({"airflow_environment": {"TZ": zone}}, "3.3.2")
    assert (problem.code, problem.where) == ("FD295", "airflow_environment.TZ")


@pytest.mark.parametrize(
    ("size", "good"),
    [
        ("80%", True),
        ("infinity", True),
        ("50G", True),
        ("64M", True),
        ("63M", False),
        ("5", False),
        ("101%", False),
        ("0%", False),
        ("5g", False),
        ("1.5G", False),
        ("", False),
        ("10 G", False),
    ],
)
def test_room_for_logs(size, good):
    assert (values_validation.check_values({"airflow_log_max_size": size}, "3.3.2") == []) == good


@pytest.mark.parametrize("days", [0, -1])
def test_logs_stay_for_a_day_at_least(days):
    (problem,) = values_validation.check_values({"airflow_log_retention_days": days}, "3.3.2")
    assert (problem.code, problem.expected) == ("FD116", "1 to 36500")
