"""Random inventories get a clean verdict, and the accepted ones files that programs read: each time the same.

`make fuzz` does the same for longer, with the programs of the hosts; see docs/testing.md.
"""

from __future__ import annotations

from collections import Counter

import pytest
from fuzz_again import again, digest
from fuzz_inventories import inventories
from fuzz_programs import check, units
from fuzz_verdict import files, verdict
from hypothesis import HealthCheck, Phase, given, settings

# Of how many accepted inventories the files are rendered, of how many hosts, and how many have systemd read its units.
RENDERED, HOSTS, UNITS = 16, 1, 3
ALL_HEALTH_CHECKS = list(HealthCheck)


@pytest.fixture(scope="module")
def seen():
    """Inventories with what they came to, for all that follows."""
    return []


@pytest.fixture(scope="module")
def counts():
    """How often each program was asked."""
    return Counter()


def test_random_inventories_get_a_clean_verdict_and_files_that_programs_read(seen, counts, tmp_path_factory):
    @settings(
        max_examples=80,
        derandomize=True,
        database=None,
        suppress_health_check=ALL_HEALTH_CHECKS,
        phases=[Phase.generate],
    )
    @given(inventories())
    def check_one(inventory):
        known = verdict(inventory)
        hosts = 0
        if known.accepted and counts["rendered"] < RENDERED:
            hosts = HOSTS
            counts["rendered"] += 1
            rendered = list(files(known, sorted(known.cluster["nodes"])[:HOSTS]))
            for file in rendered:
                check(file, known, counts)
            if counts["rendered"] <= UNITS:
                units(rendered, tmp_path_factory.mktemp("units"))
        seen.append((inventory, hosts, digest(known, hosts)))

    check_one()
    # The strategies make what is worth to be checked.
    assert counts["rendered"] == RENDERED
    assert len(seen) >= 80


def test_what_is_computed_twice_is_equal(seen):
    assert again([(inventory, hosts) for inventory, hosts, _digest in seen]) == [found for _i, _h, found in seen]
