"""patroni.yml has the names that the inventory has, whatever YAML would read them as."""

from __future__ import annotations

import dataclasses

import pytest
import yaml
from test_cluster import available, defaults, plain
from test_families import rendered


@pytest.mark.parametrize("name", ["1", "0x10", "1e3", "on", "null", "db-1"])
def test_names_are_text(name):
    hosts = [dataclasses.replace(one, name=name) if one.name == "db1" else one for one in available()]
    model = plain(hosts, defaults(airflow_cluster_name=name))
    found = yaml.safe_load(rendered("metastore", "etc/patroni/airflow/patroni.yml.j2", name, model))
    assert (found["name"], found["scope"]) == (name, model["nodes"][name]["metastore"]["patroni"]["scope"])
