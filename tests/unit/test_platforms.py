"""A release of Debian is in the catalogue; what cannot read it there agrees with it."""

from __future__ import annotations

from pathlib import Path

import lab
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.flightdeck.airflow.plugins.filter.services import FilterModule
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import VERSIONS

ROLES = Path(__file__).parents[2] / "roles"


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/meta/main.yml")), ids=lambda path: path.parts[-3])
def test_a_role_names_the_releases(path):
    platforms = yaml.safe_load(path.read_text())["galaxy_info"]["platforms"]
    assert platforms == [{"name": "Debian", "versions": [platform.codename for platform in PLATFORMS.values()]}]


def test_the_lab_has_an_image_of_each():
    assert {platform.codename: release for release, platform in PLATFORMS.items()} == lab.RELEASES


def test_every_version_of_airflow_has_a_lock_for_each_of_its_pythons_and_no_other():
    locks = {path.name for path in (ROLES / "airflow/files/locks").glob("airflow-*-py*.txt")}
    assert locks == {
        f"airflow-{version.full}-py{python}.txt" for version in VERSIONS.values() for python in version.pythons
    }
    pythons = {platform.python_minor for platform in PLATFORMS.values()}
    assert all(pythons.issuperset(version.pythons) for version in VERSIONS.values())
    assert pythons == {python for version in VERSIONS.values() for python in version.pythons}


def test_roles_get_the_differences_by_a_fact():
    platform = FilterModule().filters()["platform"]
    assert platform({"distribution_major_version": "13"})["postgresql"] == "17"
    with pytest.raises(AnsibleFilterError, match="11 is missing"):
        platform({"distribution_major_version": "11"})
