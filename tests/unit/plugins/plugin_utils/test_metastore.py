"""The metastore: what may be chosen, and the URL of a server as each driver takes it."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.components import secret_content
from ansible_collections.flightdeck.airflow.plugins.filter.services import connection_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import paths, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import SYSTEM_CA_FILE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore as metastore_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import metastore
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import codes, defaults, plain, reference

URL = "postgresql://app:p%40ss@db.example.org:6000/airflow"
MYSQL = "mysql://app:p%40ss@db.example.org/airflow"
EXTERNAL = [host for host in reference() if host.name != "db1"]
PRIVATE = "/etc/airflow/secrets/metastore_ca.crt"
KEEPALIVE = {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}


def options(url):
    return dict(parse_qsl(urlsplit(url).query))


def dsn(url):
    return dict(parse_qsl(urlsplit(options(url)["dsn"]).query))


@pytest.mark.parametrize(
    ("hosts", "changes", "code"),
    [
        (EXTERNAL, {}, "FD101"),
        (reference(), {"airflow_metastore_engine": "mariadb"}, "FD169"),
        (EXTERNAL, {"airflow_metastore_engine": "mariadb", "airflow_metastore_url": MYSQL}, "FD169"),
        (reference(), {"airflow_metastore_url": URL}, "FD175"),
        (reference(), {"airflow_metastore_ca": "x"}, "FD175"),
        (reference(), {"airflow_metastore_engine": "mysql"}, "FD175"),
        (EXTERNAL, {"airflow_metastore_engine": "mysql"}, "FD176"),
        (EXTERNAL, {"airflow_result_backend_url": URL}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": MYSQL}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_metastore_engine": "mysql"}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_metastore_owner_url": "db1"}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_metastore_ca": "x"}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_metastore_ca": "\u00e4\u200b"}, "FD176"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_pgbouncer": True}, "FD177"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_postgresql_config": {"max_connections": 1}}, "FD177"),
        (EXTERNAL, {"airflow_metastore_url": URL, "airflow_db_clean": True}, "FD340"),
        (reference(), {"airflow_version": "2.11.2", "airflow_db_clean": True}, "FD340"),
        (reference(), {"airflow_db_clean": True, "airflow_db_clean_days": 1}, "FD341"),
        (reference(), {"airflow_db_clean_tables": ["log", "a b"]}, "FD342"),
    ],
)
def test_choices_that_do_not_go_together(hosts, changes, code):
    assert codes(hosts, **changes) == [code]


@pytest.mark.parametrize(
    "changes", [{"airflow_metastore_url": URL}, {"airflow_metastore_url": MYSQL, "airflow_metastore_engine": "mysql"}]
)
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_another_server_takes_the_place_of_the_group(changes, version):
    ca = certificates.make_ca("theirs", datetime.datetime.now(datetime.UTC))["certificate"]
    assert (
        codes(EXTERNAL, airflow_metastore_ca=ca, airflow_version=version, airflow_haproxy_stats_port=5000, **changes)
        == []
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg2://a:b@c/d", "postgresql+psycopg2:// at its beginning"),
        ("postgresql://c/d", "no account"),
        ("postgresql://a:b@c", "no database"),
        ("postgresql://a:b@c/", "no database"),
        ("postgresql://a:b@c/d/e", "no database"),
        ("postgresql://a:b/secret@c/d", "an invalid host or port"),
        ("postgresql://a:b#secret@c/d", "an invalid host or port"),
        ("postgresql://a:b@c/d#secret", "a '#', which has to be %23"),
        ("postgresql://a:b@c:70000/d", "an invalid host or port"),
        ("postgresql://a:b@/d", "no valid host"),
        ("postgresql://a:b c@d/e", "white space"),
        (
            "postgresql://a:b@c/d?sslmod=require",
            "an option sslmod in its query that postgresql does not know (sslmode is one)",
        ),
        ("postgresql://a:b@c/d?sslmode=requir", "an unknown value of sslmode (known are disable, allow,"),
        ("postgresql://a:b@c/d?anything=secret", "an option anything in its query"),
    ],
)
def test_a_bad_url_is_reported_without_its_text(url, says):
    (problem,) = metastore.check(0, defaults(airflow_metastore_url=url))
    assert problem.code == "FD176"
    assert says in problem.found
    assert "secret" not in str(problem)


@pytest.mark.parametrize("option", ["ssl_ca=/x", "read_default_file=/x"])
def test_mysql_is_never_asked_for_less_than_verified_encryption(option):
    (problem,) = metastore.check(
        0, defaults(airflow_metastore_engine="mysql", airflow_metastore_url=f"{MYSQL}?{option}")
    )
    assert "airflow_metastore_ca" in problem.found


@pytest.mark.parametrize(
    ("url", "use", "start"),
    [
        (URL, "sync", "postgresql+psycopg2://app:p%40ss@db.example.org:6000/airflow?"),
        (URL, "async", "postgresql+asyncpg://app:p%40ss@db.example.org:6000/airflow?"),
        (URL, "results", "db+postgresql+psycopg2://app:p%40ss@db.example.org:6000/airflow?"),
        (MYSQL, "sync", "mysql+mysqldb://app:p%40ss@db.example.org:3306/airflow?"),
        (MYSQL, "async", "mysql+aiomysql://app:p%40ss@db.example.org:3306/airflow?"),
        (MYSQL, "results", "db+mysql+mysqldb://app:p%40ss@db.example.org:3306/airflow?"),
        ("postgresql://app@[2001:db8::1]/a%20b", "sync", "postgresql+psycopg2://app:@[2001:db8::1]:5432/a%20b?"),
    ],
)
def test_each_driver_has_its_scheme(url, use, start):
    assert metastore_model.driver_url(url, use, PRIVATE).startswith(start)


@given(password=st.text(min_size=1), user=st.text(min_size=1))
def test_whatever_a_password_holds_arrives(password, user):
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db/airflow"
    parts = urlsplit(metastore_model.driver_url(url, "sync", PRIVATE))
    assert (unquote(parts.username), unquote(parts.password), parts.hostname, parts.path) == (
        user,
        password,
        "db",
        "/airflow",
    )


def test_the_name_of_postgresql_is_verified():
    assert options(metastore_model.driver_url(URL, "sync", PRIVATE)).keys() == {*KEEPALIVE, "sslmode", "sslrootcert"}
    for ca_file in (PRIVATE, SYSTEM_CA_FILE):
        wanted = {"sslmode": "verify-full", "sslrootcert": ca_file}
        assert wanted.items() <= options(metastore_model.driver_url(URL, "sync", ca_file)).items()
        # Nothing else: asyncpg would send it to the server as a setting.
        assert dsn(metastore_model.driver_url(URL, "async", ca_file)) == wanted


def test_what_the_url_says_goes_over_the_rest():
    given_url = f"{URL}?sslmode=require&connect_timeout=9&application_name=airflow"
    found = options(metastore_model.driver_url(given_url, "sync", SYSTEM_CA_FILE))
    assert (found["sslmode"], found["connect_timeout"], found["application_name"]) == ("require", "9", "airflow")
    # libpq would verify as soon as it has a root certificate.
    assert "sslrootcert" not in found
    assert dsn(metastore_model.driver_url(given_url, "async", SYSTEM_CA_FILE)) == {"sslmode": "require"}
    assert dsn(metastore_model.driver_url(given_url, "async", PRIVATE)) == {
        "sslmode": "require",
        "sslrootcert": PRIVATE,
    }
    theirs = options(metastore_model.driver_url(f"{URL}?sslrootcert=/srv/ca.pem", "sync", PRIVATE))
    assert (theirs["sslmode"], theirs["sslrootcert"]) == ("verify-full", "/srv/ca.pem")


def test_mysql_takes_its_encryption_from_files():
    found = options(metastore_model.driver_url(f"{MYSQL}?read_timeout=60", "sync", PRIVATE))
    assert found == {
        "charset": "utf8mb4",
        "connect_timeout": "5",
        "read_default_file": paths.OPTION_FILE,
        "read_timeout": "60",
    }
    assert options(metastore_model.driver_url(MYSQL, "async", PRIVATE)) == {
        "charset": "utf8mb4",
        "connect_timeout": "5",
    }


def test_only_migrations_may_send_several_statements_at_once():
    assert options(metastore_model.driver_url(MYSQL, "migrations", PRIVATE))["client_flag"] == "196608"
    bounded = f"{MYSQL}?read_timeout=60&write_timeout=60"
    assert options(metastore_model.driver_url(bounded, "sync", PRIVATE))["read_timeout"] == "60"
    assert not [
        name
        for name in options(metastore_model.driver_url(bounded, "migrations", PRIVATE))
        if "write" in name or "read_t" in name
    ]
    for use in ("sync", "async", "results"):
        assert "client_flag" not in options(metastore_model.driver_url(MYSQL, use, PRIVATE))
    assert metastore_model.driver_url(URL, "migrations", PRIVATE) == metastore_model.driver_url(URL, "sync", PRIVATE)


def model(**changes):
    return plain(EXTERNAL, defaults(**{"airflow_metastore_url": URL, **changes}))


def test_the_model_knows_where_the_url_goes_and_not_what_it_is():
    found = model(airflow_metastore_owner_url="postgresql://owner:owner-pw@db/airflow", airflow_metastore_ca="theirs")
    assert "p%40ss" not in str(found)
    assert "owner-pw" not in str(found)
    values = {
        "metastore_url": URL,
        "metastore_owner_url": "postgresql://owner:owner-pw@db/airflow",
        "metastore_ca": "theirs",
    }
    values |= dict.fromkeys(secrets_catalog.GENERATED, "made") | {"ca.crt": "", "server.crt": "", "server.key": ""}
    master = {file["file"]: secret_content(file, values) for file in found["nodes"]["master1"]["airflow"]["secrets"]}
    assert master["sql_alchemy_conn"].startswith("postgresql+psycopg2://app:")
    assert master["result_backend"].startswith("db+postgresql+psycopg2://app:")
    assert parse_qs(urlsplit(master["sql_alchemy_conn"]).query)["sslrootcert"] == [PRIVATE]
    assert master["metastore_ca.crt"] == "theirs"
    assert secret_content(found["database_owner"], values).startswith("postgresql+psycopg2://owner:owner-pw@")
    worker = {secret["file"] for secret in found["nodes"]["worker1"]["airflow"]["secrets"]}
    assert worker == {"broker_url", "result_backend", "api_secret_key", "ca.crt", "metastore_ca.crt"}


def test_libpq_gets_the_url_by_files_and_the_password_by_one_of_its_own():
    url = "postgresql://o%3Awner:p%40s%5C%3As%20@db.example.org/air%20flow?sslmode=require&application_name=x"
    service = metastore_model.service_file(url, PRIVATE).splitlines()
    assert service[0] == "[metastore]"
    values = dict(line.split("=", 1) for line in service[1:])
    assert values.pop("sslmode") == "require"
    assert {name: value for name, value in values.items() if name not in KEEPALIVE} == {
        "host": "db.example.org",
        "port": "5432",
        "dbname": "air flow",
        "user": "o:wner",
        "sslrootcert": PRIVATE,
        "application_name": "x",
    }
    assert metastore_model.password_file(url) == "*:*:*:*:p@s\\\\\\:s \n"
    with pytest.raises(ValueError, match="several lines"):
        metastore_model.service_file("postgresql://a%0Ahost=b:p@db/airflow", PRIVATE)


def test_only_the_account_of_the_dumps_reads_the_connection():
    found = connection_files(
        {
            "file": "owner",
            "secret": "metastore_url",
            "variable": "airflow_metastore_url",
            "use": "migrations",
            "ca_file": PRIVATE,
        },
        {"metastore_url": URL},
        "/etc/x",
        "postgres",
    )
    assert [(file["path"], file["owner"], file["mode"]) for file in found] == [
        ("/etc/x/pg_service.conf", "postgres", "0600"),
        ("/etc/x/pgpass", "postgres", "0600"),
    ]
    assert "p@ss" not in found[0]["content"]


def test_without_an_owner_the_account_itself_migrates():
    assert model()["database_owner"]["secret"] == "metastore_url"
    assert model()["metastore"]["result_tables"] is True


def test_results_may_be_elsewhere():
    found = model(airflow_result_backend_url="postgresql://results:pw@db/results")
    assert found["metastore"]["result_tables"] is False
    (worker,) = (
        secret for secret in found["nodes"]["worker1"]["airflow"]["secrets"] if secret["file"] == "result_backend"
    )
    assert worker["secret"] == "result_backend_url"


def test_the_load_balancers_have_nothing_to_do_with_it():
    listeners = model()["nodes"]["lb1"]["haproxy"]["listeners"]
    assert [listener["name"] for listener in listeners] == ["web", "execution_api", "broker"]
    assert set(secrets_catalog.OWN_SECRETS) == set(model()["external_secrets"])
    assert plain(reference(), defaults())["external_secrets"] == []


def test_the_async_engine_of_mysql_gets_its_encryption_where_there_is_one():
    mysql = {"airflow_metastore_url": MYSQL, "airflow_metastore_engine": "mysql"}
    nodes = model(**mysql)["nodes"]
    assert (
        nodes["master1"]["airflow"]["config"]["database"]["sql_alchemy_connect_args_async"]
        == metastore_model.CONNECT_ARGS
    )
    assert "database" not in nodes["worker1"]["airflow"]["config"]
    older = model(**mysql, airflow_version="2.11.2")["nodes"]["master1"]["airflow"]["config"]
    assert "sql_alchemy_connect_args_async" not in older["database"]


def test_every_login_that_is_given_is_tried_under_the_name_of_its_variable():
    assert plain(reference(), defaults())["database_logins"] == []
    tried = {login["variable"]: login for login in model(airflow_result_backend_url=URL)["database_logins"]}
    assert list(tried) == ["airflow_metastore_url", "airflow_result_backend_url"]
    # A host without Celery need not get to the results.
    assert (
        len(metastore_model.logins(defaults(airflow_metastore_url=URL, airflow_result_backend_url=URL), PRIVATE, False))
        == 1
    )
    values = {"result_backend_url": URL}
    # As a client of Python's takes it, without what Celery writes before it.
    assert secret_content(tried["airflow_result_backend_url"], values).startswith("postgresql+psycopg2://")
