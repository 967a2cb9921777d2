"""Values that are templates: each part that fails or loses text is found, and hides no other."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import variables


def trusted(value):
    """``value`` as an inventory file has it."""
    if isinstance(value, dict):
        return {key: trusted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [trusted(entry) for entry in value]
    return trust_as_template(value) if isinstance(value, str) else value


def read(raw):
    value, failures = variables.read("v", trusted(raw), Templar(loader=DataLoader(), variables={"known": 4}).template)
    return value, [failure.place for failure in failures]


@pytest.mark.parametrize(
    ("raw", "value", "places"),
    [
        ("{{ known }}", 4, []),
        ("{{ nope }}", None, ["v"]),
        ("{%(filename)s}", None, ["v"]),
        ("abc{#def", None, ["v"]),
        (
            {"a": {"b": "{{ nope }}", "c": 1, "d": None}, "e": "{{ known }}"},
            {"a": {"c": 1, "d": None}, "e": 4},
            ["v.a.b"],
        ),
        (["x", "{{ nope }}", "{{ known }}", {"y": "{{ nope }}"}], ["x", 4, {}], ["v[1]", "v[3].y"]),
    ],
)
def test_what_fails_is_named_and_left_out(raw, value, places):
    assert read(raw) == (value, places)


@pytest.mark.parametrize(
    ("raw", "secret", "places"),
    [
        ("abc{#def#}ghi", False, ["v"]),
        ("abc{#def#}ghi", True, ["v"]),
        # A comment beside a template is meant.
        ("{{ known }}{# why #}", False, []),
        ("{{ known }}{# why #}", True, ["v"]),
        ("{{ password }}", True, ["v"]),
        ("{{ again }}", True, ["v"]),
        ("{{ loop }}", True, []),
        ("{{ unsafe }}", True, []),
        ("plain # text }", True, []),
        ({"a": ["x", "{#"]}, False, ["v.a[1]"]),
        (4, False, []),
    ],
)
def test_text_that_a_template_deletes_is_found(raw, secret, places):
    known = trusted({"password": "a{#b#}c", "again": "{{ password }}", "loop": "{{ loop }}"}) | {"unsafe": "a{#b#}c"}
    assert list(variables.comments("v", trusted(raw), known, secret=secret)) == places


def test_unsafe_text_stays_as_it_is():
    assert list(variables.comments("v", "a{#b#}c", {}, secret=True)) == []
