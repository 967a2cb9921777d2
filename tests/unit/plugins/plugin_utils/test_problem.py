"""How problems are shown, and what the checks of variables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import types
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts, report

ROOT = Path(__file__).resolve().parents[4]
ONE = Problem(Code.FD101, "group a", "no host", "a host", "Add one.")
TWO = Problem(Code.FD120, "variable b", "an unknown name", "another", "Remove it.")
OPTIONS = {
    "airflow_version": {"type": "str"},
    "airflow_worker_concurrency": {"type": "int"},
    "airflow_worker_queues": {"type": "list", "elements": "raw"},
    "airflow_config": {"type": "dict"},
    "airflow_admin_password": {"type": "str", "no_log": True},
    "airflow_package_extra_index_urls": {"type": "list", "elements": "str", "no_log": True, "default": []},
    "airflow_action": {"type": "str", "choices": ["deploy", "verify"]},
}


def test_problems_are_sorted_counted_and_told_once():
    *lines, last = report([TWO, ONE, TWO]).splitlines()
    assert lines == [
        "2 problems found, nothing was changed on any host:",
        "  FD101 group a: found no host; expected a host. Add one.",
        "  FD120 variable b: found an unknown name; expected another. Remove it.",
    ]
    assert report([ONE]).startswith("1 problem found")
    shown = report([ONE]).splitlines()[-1]
    assert last == f"Begin with FD101, others may follow from it. {shown}"
    page, _, anchor = shown.removeprefix("What FD101 means: ").partition("#")
    assert (Path(page).read_text(), anchor) == ((ROOT / "docs/codes.md").read_text(), "fd101")


@pytest.mark.parametrize(
    ("count", "where"),
    [
        (1, "variable b of host h1"),
        (2, "variable b of hosts h1, h2"),
        (3, "variable b of hosts h1, h2, h3"),
        (200, "variable b of hosts h1, h2, h3 and 197 more"),
    ],
)
def test_a_mistake_in_group_vars_is_one_problem(count, where):
    (merged,) = on_hosts((f"h{number}", TWO) for number in range(1, count + 1))
    assert merged.where == where


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("airflow_worker_concurency", "Did you mean airflow_worker_concurrency?"), ("airflow_q9z8x7", "Remove it.")],
)
def test_an_unknown_name_gets_the_closest_known_one(name, remedy):
    (problem,) = types.check_unknown([name, "airflow_version"], OPTIONS)
    assert (problem.code, problem.remedy) == ("FD120", remedy)


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("airflow_version", "3.3.2", True),
        ("airflow_version", 3.3, False),
        ("airflow_version", False, False),
        ("airflow_version", 3, True),
        ("airflow_worker_concurrency", "010", False),
        ("airflow_worker_concurrency", "1_000", False),
        ("airflow_worker_concurrency", "1e3", False),
        # Ansible's validator would compute it for hours.
        ("airflow_worker_concurrency", "1e999999999", False),
        ("airflow_worker_concurrency", "Infinity", False),
        ("airflow_worker_concurrency", float("inf"), False),
        ("airflow_worker_concurrency", float("nan"), False),
        ("airflow_admin_password", 123456789012, False),
        ("airflow_package_extra_index_urls", [None], False),
        ("airflow_package_extra_index_urls", [1.5], False),
        ("airflow_version", {"full": "3.3.2"}, False),
        ("airflow_worker_concurrency", "4", True),
        ("airflow_worker_concurrency", "many", False),
        ("airflow_worker_concurrency", True, False),
        ("airflow_worker_concurrency", 1.5, False),
        ("airflow_worker_concurrency", None, False),
        ("airflow_version", None, False),
        ("airflow_worker_queues", ["default"], True),
        ("airflow_worker_queues", "default,gpu", False),
        ("airflow_config", {"core": {}}, True),
        ("airflow_config", "core", False),
        ("airflow_action", "deploy", True),
        ("airflow_action", "restart", False),
        ("airflow_admin_password", "hunter2", True),
        ("airflow_admin_password", ["hunter2"], False),
        ("airflow_admin_password", {"value": "hunter2"}, False),
        # Nothing is made in its place.
        ("airflow_package_extra_index_urls", None, False),
        ("airflow_package_extra_index_urls", "https://user:hunter2@packages.example.org", False),
    ],
)
def test_values_have_the_type_of_their_option(name, value, good):
    problems, typed = types.check_types({name: value}, OPTIONS)
    assert [problem.code for problem in problems] == ([] if good else ["FD121"])
    assert (name in typed) is good
    assert "hunter2" not in report(problems)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("airflow_constraints", "\ud800", ""),
        ("airflow_wheels_dir", "/a\0b", ""),
        ("airflow_admin_password", "hunter2\udfff", ""),
        ("airflow_system_packages", ["a", "\ud800"], "[1]"),
        ("airflow_config", {"core": {"x": ["\0"]}}, ".core.x[0]"),
        ("airflow_config", {"core": {"\ud800": "x"}}, ".core"),
    ],
)
def test_what_no_file_can_have_as_text_is_refused_where_it_stands(name, value, place):
    (problem,), typed = types.check_types({name: value}, OPTIONS)
    assert (problem.code, problem.where) == ("FD121", f"variable {name}{place}")
    assert typed == {}
    report([problem]).encode()
    assert "hunter2" not in str(problem)


def test_text_from_the_command_line_gets_its_type():
    problems, typed = types.check_types({"airflow_worker_concurrency": "4", "airflow_version": 3}, OPTIONS)
    assert (problems, typed) == ([], {"airflow_worker_concurrency": 4, "airflow_version": "3"})


def test_an_empty_secret_counts_as_not_given():
    assert types.check_types({"airflow_admin_password": None}, OPTIONS) == ([], {})


def test_a_mistake_of_all_hosts_names_none():
    (merged,) = on_hosts(((f"h{number}", TWO) for number in range(9)), everybody=9)
    assert merged == TWO
    (one,) = on_hosts([("h0", TWO)], everybody=1)
    assert one.where == "variable b of host h0"


def test_only_variables_of_the_cluster_must_be_the_same_everywhere():
    values = {
        "h1": {"airflow_version": "3.3.2", "airflow_worker_concurrency": 2},
        "h2": {"airflow_version": "3.3.2", "airflow_worker_concurrency": 4},
    }
    assert types.check_same(values) == []
    (problem,) = types.check_same({**values, "h3": {}})
    assert (problem.code, problem.where) == ("FD122", "variable airflow_version")


def test_variables_of_others_and_of_the_collection_itself_are_not_judged():
    assert types.user_variables({"airflow_cluster": {}, "airflow_version": "x", "http_port": 1}) == ["airflow_version"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("airflow_worker_concurrency", "auto", "text 'auto'"),
        ("airflow_worker_concurrency", None, "no value"),
        ("airflow_worker_queues", {"a": 1}, "a dictionary {'a': 1}"),
        ("airflow_config", ["a"], "a list ['a']"),
        ("airflow_version", True, "a truth value True"),
        ("airflow_admin_password", ["hunter2"], "a list"),
    ],
)
def test_a_value_is_shown_in_the_words_of_yaml(name, value, found):
    (problem,), _typed = types.check_types({name: value}, OPTIONS)
    assert problem.found == found
    assert not re.search(r"class|Ansible|_|\bstr\b|\bdict\b", f"{problem.found} {problem.expected} {problem.remedy}")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("airflow_admin_pasword", "Did you mean airflow_admin_password?"),
        ("airflow_smtp_password", "Remove it."),
        ("airflow_flower", "Remove it."),
        ("airflow_env", "Remove it."),
    ],
)
def test_only_a_name_that_resembles_one_is_suggested(name, remedy):
    (problem,) = types.check_unknown([name], {**OPTIONS, "airflow_broker": {}, "airflow_vip": {}})
    assert problem.remedy == remedy
