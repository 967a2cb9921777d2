"""The hosts of the cluster under test, for testinfra."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from cluster_access import Access, access
from testinfra.host import Host

# Tests may use the functions of the collection, under their full names.
_AnsibleCollectionFinder(paths=[str(Path(__file__).parents[1] / ".collections")])._install()


@pytest.fixture(scope="session")
def cluster() -> Access:
    """The cluster under test."""
    return access()


@pytest.fixture(scope="session")
def host_named(cluster: Access) -> Callable[[str], Host]:
    """A host by its inventory name."""
    return functools.cache(lambda name: testinfra.get_host(f"docker://{cluster.containers[name]}"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that take ``member`` run once per host of the group that they are marked with, or on its first
    ``hosts``."""
    if "member" in metafunc.fixturenames:
        group = metafunc.definition.get_closest_marker("group")
        assert group, "a test that takes member names its group"
        hosts = access().model["hosts_of"][group.args[0]][: group.kwargs.get("hosts")]
        metafunc.parametrize("member", [host["name"] for host in hosts])


def pytest_configure(config: pytest.Config) -> None:
    """Declare our markers."""
    config.addinivalue_line(
        "markers", "group(name, hosts): the inventory group whose hosts, all or the first so many, the test runs on"
    )
    config.addinivalue_line("markers", "thorough: runs in make test-all only, because it takes minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The shared tests come first, on the cluster as it was deployed; that nothing is left to do is shown at the end.

    What is thorough is left out, unless it is asked for.
    """
    items.sort(key=lambda item: (item.path.stem == "test_idempotence", "shared" not in item.path.parts))
    if os.environ.get("FLIGHTDECK_THOROUGH"):
        return
    thorough = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=thorough)
    items[:] = [item for item in items if item not in thorough]
