"""URLs survive every password."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import LIBPQ_KEEPALIVE, build_url
from hypothesis import example, given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXT, TEXT, TEXT)
@example("p@:/?#%&'\" $\\ üñ€", "airflow", "airflow")
def test_every_part_comes_back(password, user, path):
    parts = urlsplit(
        build_url("postgresql+psycopg2", "db1", 5432, user=user, password=password, path=path, query=LIBPQ_KEEPALIVE)
    )
    assert unquote(parts.password or "") == password
    assert unquote(parts.username or "") == user
    assert unquote(parts.path[1:]) == path
    assert (parts.hostname, parts.port) == ("db1", 5432)
    assert parse_qs(parts.query)["connect_timeout"] == ["5"]


def test_an_ipv6_host_stands_in_brackets():
    assert build_url("amqp", "2001:db8::1", 5672, user="u", password="p", path="v") == "amqp://u:p@[2001:db8::1]:5672/v"


def test_without_a_user_there_are_no_credentials():
    assert build_url("http", "h", 80) == "http://h:80/"
