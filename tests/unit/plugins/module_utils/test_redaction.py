"""Errors of drivers hold URLs and passwords, in several spellings."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _redaction

URL = "postgresql://air%40flow:p%40ss%2Fw%27rd@db.example.org:5432/airflow?sslmode=require&sslpassword=key%20pass"


@pytest.mark.parametrize(
    "text",
    [
        f"could not parse {URL}",
        "cannot connect to postgresql+psycopg2://air%40flow:p%40ss%2Fw%27rd@db.example.org/airflow",
        "password 'p@ss/w'rd' is wrong",
        repr({"password": "p@ss/w'rd"}),
        "amqp://x:p%40ss/w%27rd@db",
        "the key's password is key pass",
        "key%20pass",
    ],
)
def test_no_spelling_of_a_password_is_left(text):
    shown = _redaction.redacted(text, URL)
    assert _redaction.HIDDEN in shown
    assert not [part for part in ("p%40ss", "p@ss", "w'rd", "key pass", "key%20pass") if part in shown]


def test_the_rest_of_a_text_stays():
    text = 'connection to server at "db.example.org" failed: FATAL: no such user "air@flow"'
    assert _redaction.redacted(text, URL, "", "sqs://", "http://[broken") == text
    assert _redaction.redacted(text) == text


def test_a_password_that_is_a_part_of_another_one_hides_no_less():
    assert (
        _redaction.redacted("long-secret and secret", "a://u:secret@h", "a://u:long-secret@h")
        == "<hidden> and <hidden>"
    )


def test_a_reason_is_one_line_with_the_kind_of_error():
    assert _redaction.reason(ValueError(f"bad {URL}\nsecond line"), URL) == "ValueError: bad <hidden>"
    assert _redaction.reason(KeyError(), "") == "KeyError: "
