"""The model is typed, and at its edge nothing gets lost or is taken for something else."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster, contract, metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import secrets
from test_cluster import VIP, available, defaults, reference, single, variables

ROOT = Path(__file__).parents[4]
MODEL = sorted((ROOT / "plugins/plugin_utils/_model").glob("*.py"))
OPTIONS = yaml.safe_load((ROOT / "roles/airflow/meta/argument_specs.yml").read_text())["argument_specs"]["cluster"][
    "options"
]
EXTERNAL = {"airflow_metastore_url": "postgresql://a:b@db/airflow", "airflow_broker_url": "amqps://a:b@mq/airflow"}


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
@pytest.mark.parametrize(
    ("hosts", "changes"),
    [
        (reference(), {}),
        (reference(), {"airflow_tls": False, "airflow_firewall": True}),
        (single(), {"airflow_scheduler_mode": "singleton"}),
        (available(), {"airflow_pgbouncer": True, **VIP}),
        ([host for host in reference() if not host.groups & {"metastore", "rabbitmq"}], EXTERNAL),
    ],
)
def test_what_roles_read_is_the_whole_model(hosts, changes, version):
    model = cluster.build(hosts, defaults(airflow_version=version, **changes))
    # As set_fact stores it.
    assert contract.Cluster.from_vars(json.loads(json.dumps(model.to_vars()))) == model


NODE = cluster.build(available(), defaults(airflow_firewall=True, **VIP)).nodes["lb1"].to_vars()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda node: node.pop("address"), "Node has no address"),
        (lambda node: node.update(adress="192.0.2.1"), "Node has an unknown key: adress"),
        (lambda node: node.update(address=5), "Node.address is no str"),
        (lambda node: node["haproxy"].update(metrics_port="8405"), "Node.haproxy.metrics_port is no int"),
        (lambda node: node["haproxy"].update(metrics_port=True), "Node.haproxy.metrics_port is no int"),
        (lambda node: node["haproxy"]["listeners"][1].update(mode="udp"), r"Node.haproxy.listeners\[1\].mode is no"),
        (lambda node: node["firewall"]["rules"][0].update(port=None), r"Node.firewall.rules\[0\].port is no"),
        (lambda node: node.update(keepalived=[]), "Node.keepalived is no dictionary"),
    ],
)
def test_other_data_are_refused_by_their_place(change, says):
    node = json.loads(json.dumps(NODE))
    change(node)
    with pytest.raises(ValueError, match=says):
        contract.Node.from_vars(node)


SECRETS = Secrets(
    {"fernet_key": "k", "broker_password": "p@ss", "metastore_url": "postgresql://a:b@db/airflow"}, ("broker_password",)
)
URL = contract.BuiltUrl(
    file="broker_url",
    scheme="amqps",
    host="::1",
    port=5671,
    user="airflow",
    secret="broker_password",
    path="airflow",
    query={},
)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (contract.PlainValue(file="fernet_key", secret="fernet_key"), "k"),
        (URL, "amqps://airflow_b:p%40ss@[::1]:5671/airflow"),
        (dataclasses.replace(URL, user="", secret="", scheme="sqs", host="", port=0, path=""), "sqs:///"),
        (metastore.owner(defaults(**EXTERNAL), "/ca.crt"), "postgresql+psycopg2://a:b@db:5432/airflow"),
    ],
)
def test_a_secret_file_has_the_content_of_its_kind(file, content):
    assert secrets.content(contract.secret_file(file.to_vars()), SECRETS).partition("?")[0] == content


@pytest.mark.parametrize("key", ["kind", "file", "secret", "scheme", "query"])
def test_a_misspelt_key_never_makes_a_secret_the_content_of_a_file(key):
    """A URL that lacks a part is no plain value."""
    data = URL.to_vars()
    data[f"{key}s"] = data.pop(key)
    with pytest.raises(ValueError, match="secret file has"):
        contract.secret_file(data)


def test_secrets_are_not_shown():
    hidden = defaults(
        airflow_metastore_url="postgresql://a:hunter2@db/airflow", airflow_sqs_secret_access_key="hunter2"
    )
    assert "hunter2" not in f"{hidden!r}{Secrets({'fernet_key': 'hunter2'})!r}"
    with pytest.raises(ValueError, match=r"airflow\.broker_url is no str") as error:
        Settings.from_variables(variables(airflow_broker_url=["hunter2"]))
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("variable", [*services.PORT_VARIABLES, *services.HOST_PORT_VARIABLES])
def test_a_port_of_the_catalogue_is_a_number(variable):
    assert OPTIONS[variable]["type"] == "int"


@pytest.mark.parametrize(
    "field", [each for each in dataclasses.fields(Settings) if each.name != "ports"], ids=lambda field: field.name
)
def test_a_setting_has_the_type_of_its_variable(field):
    option = OPTIONS[f"airflow_{field.name}"]
    kind = {"path": "str", "dict": "Mapping[str, object]"}.get(option["type"], option["type"])
    if "choices" in option:
        kind = "Literal[" + ", ".join(map(repr, option["choices"])) + "]"
    elif kind == "list":
        kind = f"tuple[{option['elements'].replace('dict', 'Mapping[str, object]')}, ...]"
    assert field.type == kind
    assert not (option.get("no_log") and field.repr)


def public(path):
    """Public functions and methods of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    return [
        node for body in bodies for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize("path", MODEL, ids=lambda path: path.stem)
def test_untyped_data_stop_at_the_edge(path):
    signatures = {node.name: f"{ast.unparse(node.args)} {ast.unparse(node.returns)}" for node in public(path)}
    assert not [name for name, signature in signatures.items() if "Any" in signature]


@pytest.mark.parametrize("path", MODEL, ids=lambda path: path.stem)
def test_a_docstring_says_what_each_argument_is(path):
    """In its text, or in that of the argument's own type."""
    described = {"Settings", "Secrets", "Host", "Node", "Cluster", "Broker"}
    for node in public(path):
        arguments = [each for each in (*node.args.args, *node.args.kwonlyargs) if each.annotation]
        text = ast.get_docstring(node) or ""
        unknown = [each.arg for each in arguments if ast.unparse(each.annotation) not in described]
        assert [name for name in unknown if f"``{name}``" not in text] == [], node.name
