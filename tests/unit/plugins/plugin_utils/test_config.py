"""Merging and rendering of airflow.cfg."""

from __future__ import annotations

import configparser
import subprocess

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import merge_config, overlay
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.airflow_cfg import render_config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.environment import environment_file
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
VALUES = st.one_of(st.booleans(), st.integers(), st.from_regex(r"[ -~äß€]{0,20}", fullmatch=True).map(str.strip))
CONFIGS = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), max_size=4)


@given(CONFIGS)
def test_merging_with_itself_changes_nothing(config):
    assert merge_config(config, config) == merge_config(config)


@given(CONFIGS, CONFIGS)
def test_the_later_layer_wins(first, second):
    merged = merge_config(first, second)
    for section, options in second.items():
        for option, value in options.items():
            assert merged[section][option] == value
    assert set(merged) == set(first) | set(second)


def test_none_takes_an_option_out():
    assert merge_config({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
    assert merge_config({"a": {"b": 1}}, {"a": {"b": None}}) == {}


@pytest.mark.parametrize(
    ("second", "merged"),
    [
        ({"b": 3}, {"a": 1, "b": 3}),
        ({"b": {"d": 1}}, {"a": 1, "b": {"c": 2, "d": 1}}),
        ('{"b": null}', {"a": 1, "b": None}),
        ({}, {"a": 1, "b": {"c": 2}}),
        (None, None),
        ("no data", "no data"),
    ],
)
def test_options_of_celery_are_merged_one_by_one(second, merged):
    first = {"celery": {"extra_celery_config": {"a": 1, "b": {"c": 2}}}, "core": {"x": {"a": 1}}}
    found = overlay(first, {"celery": {"extra_celery_config": second}, "core": {"x": {"b": 2}}})
    assert found == {"celery": {"extra_celery_config": merged}, "core": {"x": {"b": 2}}}
    assert first["celery"]["extra_celery_config"] == {"a": 1, "b": {"c": 2}}


@given(CONFIGS)
def test_a_parser_with_interpolation_reads_what_was_meant(config):
    parser = configparser.ConfigParser()
    parser.read_string(render_config(merge_config(config)))
    for section, options in config.items():
        for option, value in options.items():
            assert parser.get(section, option) == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        ("100%", "100%%"),
        ({"b": 1, "a": None}, '{"a": null, "b": 1}'),
        ("x\ny", "x\n    y"),
        (["q"], '["q"]'),
    ],
)
def test_values_are_written_as_airflow_reads_them(value, text):
    assert render_config({"s": {"o": value}}) == f"[s]\no = {text}\n"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z_]{0,6}X", fullmatch=True),
        st.from_regex(r"[ -~äß€]{0,12}", fullmatch=True),
        max_size=3,
    )
)
@settings(max_examples=30)
def test_a_shell_reads_the_environment_file_back(variables):
    script = f"set -eu\n{environment_file(variables)}\n" + "\n".join(
        f'printf "%s\\n" "${name}"' for name in sorted(variables)
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "".join(f"{variables[name]}\n" for name in sorted(variables))
