"""Which cluster the files on the controller belong to."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import identity

FILE = Path("/inv/.airflow_secrets.yml")


def cluster(numbers, network="192.0.2", name="airflow", inventory="/inv/hosts.yml"):
    return Identity(
        name=name, hosts={f"h{number}": f"{network}.{number}" for number in numbers}, inventories=(inventory,)
    )


@pytest.mark.parametrize(
    ("present", "same"),
    [
        (cluster([1, 2, 3, 4]), True),
        (cluster(range(1, 30)), True),
        (cluster([1]), True),
        (cluster([1, 2, 8, 9]), True),
        # In the same file the addresses may change, in another one the file may have another name.
        (cluster([1, 2, 3, 4], network="10.0.0"), True),
        (cluster([1, 2, 3, 4], inventory="/inv/prod.yml"), True),
        (cluster([1, 2, 3, 4], name="prod"), False),
        (cluster([5, 6, 7, 8]), False),
        (cluster([1, 7, 8, 9]), False),
        (cluster([1, 2, 3, 4], network="10.0.0", inventory="/inv/staging.yml"), False),
        (cluster([1, 7, 8, 9], inventory="/inv/staging.yml"), False),
    ],
)
def test_a_cluster_is_known_by_its_name_and_half_of_its_hosts(present, same):
    recorded = cluster([1, 2, 3, 4]).seen_from(FILE)
    assert recorded.inventories == ("hosts.yml",)
    problems = identity.check("airflow_secrets_file", FILE, "__airflow_cluster", recorded, present)
    assert [problem.code for problem in problems] == ([] if same else ["FD190"])
    assert all("h1 at 192.0.2.1" in problem.found and "__airflow_cluster" in problem.remedy for problem in problems)


def test_a_file_that_does_not_say_whose_it_is_is_anybodys():
    assert identity.check("airflow_secrets_file", FILE, "key", None, cluster([1])) == []


def test_the_record_is_the_same_after_the_directory_moved():
    moved = cluster([1], inventory="/elsewhere/hosts.yml").seen_from(Path("/elsewhere/.airflow_secrets.yml"))
    assert moved == cluster([1]).seen_from(FILE)
    assert Identity.from_vars(moved.to_vars()) == moved
