"""Rotation of secrets: pairs of users that alternate, and a Fernet key in steps that may be interrupted anywhere."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import rotation as rotation_controller
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import InactiveUser
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Account, Database
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import rotation as rotation_validation
from hypothesis import given
from hypothesis import strategies as st

STORED = {name: f"{name} of the first run" for name in secrets.GENERATED}
STEPS = {
    "begin": lambda values, rotation: rotation_controller.begin(values, rotation, ["fernet_key"]),
    "use": rotation_controller.use_fernet_key,
    "drop": rotation_controller.drop_fernet_key,
}
DATABASES = [
    Database(
        name="airflow",
        user="airflow",
        secret="metastore_password",
        owner="airflow_owner",
        owner_secret="metastore_owner_password",
    ),
    Database(name="results", user="results", secret="result_backend_password"),
]
ACCOUNTS = [Account(user=database.user, secret=database.secret) for database in DATABASES]


def keys(state):
    return accounts.effective(*state)["fernet_key"].split(",")


def test_only_what_is_named_is_replaced():
    for name in set(secrets.ROTATABLE) - {"fernet_key"}:
        values, _rotation_state = rotation_controller.begin(STORED, {}, [name])
        assert {other for other in values if values[other] != STORED[other]} == {name}


def test_nothing_is_named_and_nothing_changes():
    assert rotation_controller.begin(STORED, {"alternate_users": ["broker_password"]}, []) == (
        STORED,
        {"alternate_users": ["broker_password"]},
    )


@pytest.mark.parametrize("name", secrets.PAIRED)
def test_two_users_alternate(name):
    once = rotation_controller.begin(STORED, {}, [name])
    assert accounts.login("u", name, accounts.effective(*once)) == "u_b"
    twice = rotation_controller.begin(*once, [name])
    assert accounts.login("u", name, accounts.effective(*twice)) == "u"
    assert twice[1] == {}
    assert len({STORED[name], once[0][name], twice[0][name]}) == 3


def test_a_fernet_key_takes_three_steps():
    old = STORED["fernet_key"]
    begun = rotation_controller.begin(STORED, {}, ["fernet_key"])
    new = begun[1]["next_fernet_key"]
    assert keys(begun) == [old, new]
    used = rotation_controller.use_fernet_key(*begun)
    assert keys(used) == [new, old]
    assert keys(rotation_controller.drop_fernet_key(*used)) == [new]


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_a_host_one_step_behind_can_read_what_the_others_write(steps):
    """Hosts are brought up to date one after the other, so what is first in one state has to be known in the one
    before."""
    state = (dict(STORED), {})
    for step in steps:
        following = STEPS[step](*state)
        if step != "drop":
            assert keys(following)[0] in keys(state)
            assert set(keys(state)) <= set(keys(following))
        else:
            # After everything was encrypted again with the first.
            assert keys(following)[0] == keys(state)[0]
        state = following


@given(st.lists(st.sampled_from(["begin", "use"]), max_size=8))
def test_an_interrupted_rotation_makes_no_third_key(steps):
    state = (dict(STORED), {})
    for step in steps:
        state = STEPS[step](*state)
        assert len(keys(state)) <= 2


def test_a_rotation_that_began_is_known():
    begun = rotation_controller.begin(STORED, {}, ["fernet_key"])
    for state in (begun, rotation_controller.use_fernet_key(*begun)):
        assert rotation_controller.rotating(*state, []) == ["fernet_key"]
    assert rotation_controller.rotating(STORED, {}, []) == []
    assert rotation_controller.rotating(STORED, {}, ["jwt_secret", "admin_password", "broker_password"]) == [
        "broker_password",
        "jwt_secret",
    ]


def test_a_key_of_the_tokens_is_on_its_way_until_all_webservers_have_it():
    begun = rotation_controller.begin(STORED, {}, ["jwt_secret"])
    # The next run, without names, makes no other key.
    again = rotation_controller.begin(*begun, [])
    assert again == begun
    assert rotation_controller.rotating(*again, []) == ["jwt_secret"]
    finished = rotation_controller.finish_jwt_secret(*again)
    assert finished == (begun[0], {})
    assert rotation_controller.rotating(*finished, []) == []


def test_to_finish_one_key_leaves_the_others_where_they_are():
    begun = rotation_controller.begin(STORED, {}, ["fernet_key", "jwt_secret", "broker_password"])
    _values, rotation = rotation_controller.finish_jwt_secret(*begun)
    assert rotation == {
        name: value for name, value in begun[1].items() if name in ("next_fernet_key", "alternate_users")
    }


def test_the_state_of_a_rotation_is_no_secret_of_the_hosts():
    values, rotation = rotation_controller.begin(STORED, {}, ["jwt_secret"])
    assert set(accounts.effective(values, rotation).to_vars()) == {*STORED, "alternate_users"}


@pytest.mark.parametrize(
    ("names", "given_values", "limit", "code"),
    [
        (["fernet"], {}, "", "FD160"),
        (["digest_key"], {}, "", "FD160"),
        (["admin_password"], {"admin_password": "another"}, "", "FD161"),
        (["fernet_key"], {}, "worker1", "FD162"),
    ],
)
def test_what_cannot_be_rotated_is_refused(names, given_values, limit, code):
    assert [problem.code for problem in rotation_validation.check(names, STORED, given_values, limit)] == [code]


def test_a_secret_that_was_never_kept_is_the_users_own():
    stored = {name: value for name, value in STORED.items() if name != "broker_password"}
    problems = rotation_validation.check(["broker_password", "fernet_key"], stored, {**STORED})
    assert [problem.where for problem in problems] == ["airflow_broker_password"]
    assert all(value not in str(problem) for problem in problems for value in STORED.values())


def test_the_first_run_makes_first_users_and_an_owner():
    users = accounts.database_users(DATABASES, accounts.effective(STORED, {}))
    assert [(user["name"], "acts_as" in user) for user in users] == [
        ("airflow_owner", False),
        ("airflow", False),
        ("results", False),
    ]
    assert all(user["flags"].startswith("LOGIN,") for user in users)


def test_a_second_user_acts_as_the_first_which_keeps_its_own_state():
    values, rotation = rotation_controller.begin(STORED, {}, ["metastore_password"])
    users = {user["name"]: user for user in accounts.database_users(DATABASES, accounts.effective(values, rotation))}
    assert "password" not in users["airflow"] and not users["airflow"]["flags"].startswith("LOGIN")
    assert users["airflow_b"]["acts_as"] == "airflow"
    assert users["airflow_b"]["password"] == values["metastore_password"]
    inactive = accounts.inactive_users(ACCOUNTS, accounts.effective(values, rotation))
    assert inactive == [InactiveUser(name="airflow", first=True), InactiveUser(name="results_b", first=False)]


def test_accounts_of_an_external_server_are_not_rotated():
    problems = rotation_validation.check(
        ["metastore_password", "broker_password"], STORED, {}, external=["metastore_password"]
    )
    assert [(problem.code, problem.found) for problem in problems] == [("FD179", "metastore_password")]
