"""Values in configuration files."""

from __future__ import annotations

import re

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import haproxy, postgresql


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("plain", '"plain"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), ("$HOME # no", '"\\$HOME # no"'), ("ü'", '"ü\'"')],
)
def test_haproxy_quote(value: str, quoted: str) -> None:
    assert haproxy.haproxy_quote(value) == quoted


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_haproxy_quote_refuses_line_breaks(value: str) -> None:
    with pytest.raises(ValueError, match="line breaks"):
        haproxy.haproxy_quote(value)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/execution", True),
        ("/execution/x", True),
        ("//execution//x", True),
        ("/executions", False),
        ("/a/execution", False),
        ("/", False),
    ],
)
def test_haproxy_path_regex(path: str, inside: bool) -> None:
    pattern = (
        haproxy.haproxy_path_regex(["/execution", "/internal/api"]).strip('"').replace("\\$", "$").replace("\\\\", "\\")
    )
    assert bool(re.search(pattern, path)) is inside
    assert re.search(pattern, "/internal//api/x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "on"),
        (False, "off"),
        (200, "'200'"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\\\b'"),
        (["10.0.0.1", "::1"], "'10.0.0.1, ::1'"),
    ],
)
def test_postgresql_value(value: object, text: str) -> None:
    assert postgresql.postgresql_value(value) == text


def test_postgresql_arguments_need_no_quotes() -> None:
    settings = {"work_mem": "16MB", "jit": False, "log_line_prefix": "it's %m", "shared_preload_libraries": ["a", "b"]}
    arguments = postgresql.postgresql_arguments(settings)
    assert arguments[::2] == ["-c"] * 4
    assert arguments[1::2] == ["jit=off", "log_line_prefix=it's %m", "shared_preload_libraries=a, b", "work_mem=16MB"]


@pytest.mark.parametrize(
    ("value", "peer"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("lb1.example.org", "lb1.example.org"),
    ],
)
def test_postgresql_peer(value: str, peer: str) -> None:
    assert postgresql.postgresql_peer(value) == peer


def test_postgresql_name_is_never_a_keyword() -> None:
    assert postgresql.postgresql_name("all") == '"all"'
