"""airflow.cfg against the reference of the deployed version: what passes, and the problem for each mistake."""

from __future__ import annotations

import configparser
import datetime

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import (
    airflow_options as airflow_options_catalog,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import merge
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import airflow_cfg
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import airflow_options
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report
from hypothesis import given
from hypothesis import strategies as st
from test_cluster import defaults, plain, reference, single

NEW, OLD = "3.3.2", "2.11.2"


def check(section, option, value=1, version=NEW, extra=()):
    return airflow_options.check_config({section: {option: value}}, version, extra)


def test_there_is_a_reference_of_every_supported_version():
    assert airflow_options_catalog.versions() == versions.TESTED_VERSIONS


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_the_references_hold_facts_only(version):
    known = airflow_options_catalog.reference(version)
    words = {word for options in known.sections.values() for text in options.values() for word in text.split()}
    assert words <= {"string", "integer", "float", "boolean", "json", "empty", "sensitive"}
    assert {"core", "celery", "scheduler", "fab", "database"} <= set(known.sections)
    assert "core.parallelism" in known
    assert "core.fernet_key_cmd" in known
    assert "core.parallelism_cmd" not in known
    assert not [old for old in [*known.renamed, *known.removed] if old in known]
    assert all(new in known for new in known.renamed.values())


@pytest.mark.parametrize("hosts", [reference(), single()])
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_what_the_collection_itself_writes_is_known_to_airflow(version, hosts):
    model = plain(hosts, defaults(airflow_version=version))
    for node in model["nodes"].values():
        config = node.get("airflow", {}).get("config", {})
        problems = [problem for problem in airflow_options.check_config(config, version) if problem.code != "FD134"]
        assert problems == []


@pytest.mark.parametrize(
    "config",
    [
        {"core": {"parallelism": 64, "dags_are_paused_at_creation": False, "load_examples": "True"}},
        {"core": {"default_task_execution_timeout": "", "max_map_length": "2048"}},
        {"celery_broker_transport_options": {"anything": 1, "max_retries": 5}},
        {"sentry": {"traces_sample_rate": 0.1}},
        {"database": {"sql_alchemy_engine_args": {"pool_timeout": 5}}},
        {"dag_processor": {"dag_bundle_config_list": [{"name": "a", "classpath": "b", "kwargs": {}}]}},
        {"dag_processor": {"dag_bundle_config_list": '[{"name": "a"}]'}},
        {"secrets": {"backend": "x.y.Z", "backend_kwargs_cmd": "cat /run/x"}},
        {"secrets": {"backend_kwargs": {"connections_path": "connections", "url": "https://vault.example.org"}}},
        {"metrics": {"statsd_on": True, "statsd_host": "192.0.2.1"}},
        {"scheduler": {"scheduler_heartbeat_sec": 5, "parsing_cleanup_interval": None}},
        {"kubernetes_executor": {"namespace": "x"}},
        {"logging": {"min_length_masked_secret": 5}},
        {
            "logging": {
                "logging_level": "DEBUG",
                "celery_logging_level": "",
                "log_format": "[%(asctime)s] {%(filename)s:%(lineno)d} 100%",
            }
        },
        {
            "logging": {
                "namespace_levels": "sqlalchemy=INFO, sqlalchemy.engine=DEBUG",
                "file_task_handler_new_file_permissions": "0o664",
            }
        },
        {"logging": {"log_filename_template": "dag_id={{ ti.dag_id }}/attempt={{ try_number }}.log"}},
        {
            "core": {
                "default_timezone": "Europe/Berlin",
                "test_connection": "Enabled",
                "default_impersonation": "",
                "daemon_umask": "0o077",
            }
        },
        {
            "core": {"default_timezone": "system"},
            "api": {"expose_config": "Non-Sensitive-Only", "instance_name": "one\n\ntwo # no comment\n"},
        },
        {"dag_processor": {"dag_bundle_config_list": '[\n  {"name": "a",\n   "kwargs": {}}\n]\n'}},
    ],
)
def test_good_options_pass(config):
    assert airflow_options.check_config(config, NEW) == []


@pytest.mark.parametrize(
    ("section", "option", "value", "code", "says"),
    [
        ("core", "paralelism", 4, "FD131", "Did you mean core.parallelism?"),
        ("scheduler", "parallelism", 4, "FD131", "Did you mean core.parallelism?"),
        ("core", "zzz", 4, "FD131", "Remove it"),
        ("shceduler", "scheduler_heartbeat_sec", 4, "FD131", "Did you mean scheduler?"),
        ("my_plugin", "x", 4, "FD131", "airflow_config_extra_sections"),
        ("scheduler", "parsing_processes", 4, "FD132", "dag_processor.parsing_processes"),
        ("scheduler", "scheduler_zombie_task_threshold", 4, "FD132", "scheduler.task_instance_heartbeat_timeout"),
        ("webserver", "enable_proxy_fix", True, "FD132", "fab.enable_proxy_fix"),
        ("webserver", "base_url", "http://x", "FD134", "Set airflow_url."),
        ("webserver", "secret_key", "x", "FD134", "Set airflow_api_secret_key."),
        ("webserver", "secret_key_cmd", "cat x", "FD134", "Set airflow_api_secret_key."),
        ("smtp", "smtp_user", "x", "FD133", "removed before Airflow 3.3.2"),
        ("core", "sql_alchemy_pool_size", 5, "FD132", "database.sql_alchemy_pool_size"),
        ("webserver", "analytics_id", "x", "FD133", "removed before Airflow 3.3.2"),
        # In no table of Airflow, so Airflow says nothing.
        ("scheduler", "schedule_after_task_execution", True, "FD133", "an option of Airflow 2.11.2"),
        ("core", "min_serialized_dag_fetch_interval", 4, "FD133", "2.11.2"),
        ("core", "executor", "LocalExecutor", "FD134", "leave it out"),
        ("core", "fernet_key", "hunter2", "FD134", "Set airflow_fernet_key."),
        ("core", "fernet_key_cmd", "cat x", "FD134", "Set airflow_fernet_key."),
        ("database", "sql_alchemy_conn_secret", "x", "FD134", "leave it out"),
        ("celery", "broker_url", None, "FD134", "leave it out"),
        ("api", "port", 8080, "FD134", "Set airflow_webserver_port."),
        ("celery", "worker_concurrency", 8, "FD134", "airflow_worker_concurrency"),
        ("core", "parallelism", "many", "FD135", "a whole number"),
        ("core", "parallelism", 0, "FD135", "Airflow 3.3.2 refuses this one"),
        ("core", "parallelism", True, "FD135", "a whole number"),
        ("core", "parallelism", 1.5, "FD135", "a whole number"),
        ("core", "parallelism", "", "FD135", "a whole number"),
        ("core", "load_examples", "yes", "FD135", "true or false"),
        ("scheduler", "scheduler_heartbeat_sec", "soon", "FD135", "a number"),
        ("core", "allowed_deserialization_classes", ["a", "b"], "FD135", "write text"),
        ("dag_processor", "dag_bundle_config_list", "[{", "FD135", "JSON"),
        ("sentry", "sentry_dsn", "hunter2", "FD136", "sentry.sentry_dsn_cmd"),
        ("celery", "flower_basic_auth", "hunter2:hunter2", "FD136", "flower_basic_auth_cmd"),
        ("secrets", "backend_kwargs", {"token": "hunter2"}, "FD136", "backend_kwargs_cmd"),
        ("secrets", "backend_kwargs", '{"auth": {"secret_id": "hunter2"}}', "FD136", "backend_kwargs_cmd"),
        ("celery_broker_transport_options", "password", "hunter2", "FD136", "secrets backend"),
        ("logging", "remote_base_log_folder", "https://me:hunter2@store.example.org/x", "FD136", "secrets backend"),
        ("core", "para\nllelism", 1, "FD130", "name"),
        ("Core", "parallelism", 1, "FD130", "lower case"),
        ("operators", "default_owner", "a\0b", "FD135", "control character"),
        ("operators", "default_owner", "a\rb", "FD135", "control character"),
        ("api", "instance_name", "line1\n# line2\nline3", "FD135", "begins with '#' or ';'"),
        ("api", "instance_name", "line1\n; line2", "FD135", "begins with '#' or ';'"),
        ("api", "instance_name", "line1\n  line2", "FD135", "white space"),
        ("api", "instance_name", " x", "FD135", "white space"),
        ("logging", "log_format", "[%%(asctime)s] %%(message)s", "FD135", "Write each % once"),
        ("operators", "default_owner", 3.10, "FD135", "in quotes"),
        ("operators", "default_owner", datetime.date(2026, 1, 1), "FD135", "a date"),
        ("database", "sql_alchemy_engine_args", {1: "x"}, "FD135", "a number as a key"),
        ("database", "sql_alchemy_engine_args", {"x": float("inf")}, "FD135", "a number"),
        ("core", "parallelism", "010", "FD135", "a whole number"),
        ("core", "parallelism", "1_000", "FD135", "a whole number"),
        ("core", "parallelism", "1e3", "FD135", "a whole number"),
        ("logging", "logging_level", "LOUD", "FD135", "CRITICAL, FATAL"),
        ("logging", "logging_level", "debug", "FD135", "DEBUG"),
        ("logging", "namespace_levels", "sqlalchemy=LOUD", "FD135", "logger=LEVEL"),
        ("core", "default_timezone", "Europe/Berln", "FD135", "Europe/Berlin"),
        ("core", "default_task_weight_rule", "up", "FD135", "upstream"),
        ("dag_processor", "file_parsing_sort_mode", "newest", "FD135", "modified_time"),
        ("fab", "cookie_samesite", "lax", "FD135", "Lax"),
        ("api", "expose_config", "some", "FD135", "non-sensitive-only"),
        ("celery", "pool", "fork", "FD135", "prefork"),
        ("logging", "file_task_handler_new_folder_permissions", 0o775, "FD135", "in quotes"),
        ("core", "default_impersonation", "etl", "FD147", "NoNewPrivileges"),
        # Celery asks quorum queues for the lower number only, and connections are counted from the concurrency.
        ("celery", "worker_autoscale", "16,2", "FD134", "airflow_worker_concurrency"),
        ("database", "sql_alchemy_schema", "airflow", "FD147", "public"),
        ("webserver", "rbac", True, "FD131", "no effect"),
    ],
)
def test_each_mistake_has_its_code_and_remedy(section, option, value, code, says):
    (problem,) = check(section, option, value)
    assert problem.code == code
    assert says in str(problem)
    assert "hunter2" not in str(problem)
    assert f"airflow_config.{section}" in problem.where


@pytest.mark.parametrize(
    ("section", "option", "code", "says"),
    [
        ("dag_processor", "refresh_interval", "FD132", "scheduler.dag_dir_list_interval"),
        ("workers", "execution_api_retries", "FD133", "an option of Airflow 3.3.2"),
        ("api", "base_url", "FD134", "airflow_url"),
        ("core", "min_serialized_dag_fetch_interval", None, ""),
        ("webserver", "default_ui_timezone", "FD135", ""),
        ("api", "auth_backends", "FD147", "basic_auth"),
    ],
)
def test_airflow_2_is_checked_against_its_own_reference(section, option, code, says):
    problems = check(section, option, [1] if code == "FD135" else 5, OLD)
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert says in report(problems)


def test_every_option_of_an_unknown_section_is_one_problem():
    (problem,) = airflow_options.check_config({"my_plugin": {"a": 1, "b": 2}}, NEW)
    assert problem.where == "airflow_config.my_plugin"


def test_sections_of_the_users_own_packages_are_let_through_but_their_secrets_are_not():
    assert check("my_plugin", "anything", ["goes"], extra=["my_plugin"]) == []
    assert [problem.code for problem in check("my_plugin", "api_key", "hunter2", extra=["my_plugin"])] == ["FD136"]
    assert check("core", "paralelism", 4, extra=["core"]) == []


@pytest.mark.parametrize("options", [5, "x", ["a"], None])
def test_a_section_is_a_dictionary(options):
    (problem,) = airflow_options.check_config({"core": options}, NEW)
    assert problem.code == "FD130"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AIRFLOW__CORE__PARALLELISM", "64", None),
        ("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", "s3://bucket", None),
        ("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__ANY", "1", None),
        ("AIRFLOW_VAR_X", "y", None),
        ("AIRFLOW__CORE__PARALLELISMM", "4", "FD131"),
        ("AIRFLOW__COER__PARALLELISM", "4", "FD131"),
        ("AIRFLOW__CORE__EXECUTOR", "LocalExecutor", "FD134"),
        ("AIRFLOW__CELERY__WORKER_AUTOSCALE", "16,2", "FD134"),
        ("AIRFLOW__CORE__FERNET_KEY_CMD", "cat x", "FD134"),
        ("AIRFLOW__WEBSERVER__ENABLE_PROXY_FIX", "True", "FD132"),
        ("AIRFLOW__CORE__PARALLELISM", "many", "FD135"),
        ("AIRFLOW__LOGGING__LOGGING_LEVEL", "LOUD", "FD135"),
        ("AIRFLOW__CORE__DEFAULT_IMPERSONATION", "etl", "FD147"),
        ("AIRFLOW__SENTRY__SENTRY_DSN", "https://hunter2@example.org/1", "FD136"),
        # No file, no interpolation: it arrives as it is.
        ("AIRFLOW__LOGGING__LOG_FORMAT", " %%(message)s ", None),
    ],
)
def test_variables_of_the_environment_that_stand_for_options_are_checked_too(name, value, code):
    problems = airflow_options.check_environment({name: value}, NEW)
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert all(problem.where == f"airflow_environment.{name}" for problem in problems)


def test_options_of_a_section_that_is_gone_and_of_none_are_each_one_problem():
    problems = airflow_options.check_config({"webserver": {"expose_config": True, "rbac": True, "nonsense": 1}}, NEW)
    assert [(problem.where.rpartition(".")[2], problem.code) for problem in problems] == [
        ("expose_config", "FD132"),
        ("rbac", "FD131"),
        ("nonsense", "FD131"),
    ]


def test_sections_of_the_users_own_packages_are_checked_in_the_environment_too():
    variables = {"AIRFLOW__MY_PLUGIN__API_KEY": "hunter2", "AIRFLOW__MY_PLUGIN__ANY": "x"}
    assert [problem.code for problem in airflow_options.check_environment(variables, NEW, ["my_plugin"])] == ["FD136"]


TEXTS = st.text(alphabet=st.sampled_from("ab %#;=:[]{}()$\\'\"\n\t\r\x0b\x1c\x85\u2028ü€"), max_size=12) | st.text(
    max_size=12
)


@given(TEXTS)
def test_what_passes_is_read_back_from_airflow_cfg(value):
    """Airflow's parser is Python's, which keeps the case of names and nothing else of its own."""
    if airflow_options.check_config({"my_plugin": {"option": value}}, NEW, ["my_plugin"]):
        return
    parser = configparser.ConfigParser()
    parser.read_string(airflow_cfg.render_config({"my_plugin": {"option": value, "z": 1}}))
    # White space in JSON is none of its content.
    wanted, found = (merge.data(text) for text in (value.rstrip("\n"), parser.get("my_plugin", "option")))
    # As text: NaN, which JSON's parser reads as well, equals nothing.
    assert repr(found) == repr(wanted)
    assert parser.get("my_plugin", "z") == "1"


NAMES = st.sampled_from(["core", "api", "webserver", "my_plugin", "celery", ""]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(
    st.dictionaries(
        NAMES, VALUES | st.dictionaries(st.sampled_from(["parallelism", "port", "x"]) | st.text(max_size=5), VALUES)
    )
)
def test_nothing_breaks_the_check_and_what_passes_can_be_written(config):
    problems = airflow_options.check_config(config, NEW)
    if not problems:
        assert airflow_cfg.render_config(merge.merge_config(config))
