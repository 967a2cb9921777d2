"""What the user adds to the hosts: who reads it, what is wrong with it, and what goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import airflow, cluster, files, leftovers
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests, environment, secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import files as validation
from test_cluster import defaults, reference

FILES = [
    {"path": "kube/config", "src": "/k.j2", "components": ["worker", "triggerer"]},
    {"path": "/etc/airflow/files/regions.json", "content": "{}", "mode": "0644"},
]
SECRET_FILES = {"token": {"value": "hunter2", "components": ["worker"]}, "dsn": "hunter3"}
ENVIRONMENT = {"PIN": {"value": '4"$2', "components": ["worker"]}, "KEY": "x"}


def nodes(**changes):
    given = {"airflow_secret_files": SECRET_FILES, "airflow_secret_environment": ENVIRONMENT, **changes}
    hosts = [
        replace(
            host,
            files=files.files_of(FILES),
            component_environment={"worker": {"REGION": "eu"}, "scheduler": {}, "nothing": {"A": "b"}},
        )
        for host in reference()
    ]
    return {name: node.airflow for name, node in cluster.build(hosts, defaults(**given)).nodes.items() if node.airflow}


def values():
    return Secrets({"digest_key": "k", **files.values(SECRET_FILES, ENVIRONMENT)})


def test_a_host_has_what_its_components_read():
    worker, master = nodes()["worker1"], nodes()["master1"]
    assert [(file.path, file.components) for file in worker.files] == [
        ("/etc/airflow/files/kube/config", ("worker",)),
        ("/etc/airflow/files/regions.json", ("worker",)),
    ]
    assert [file.components for file in master.files] == [
        ("triggerer",),
        ("webserver", "scheduler", "dag_processor", "triggerer"),
    ]
    assert worker.own_secrets == {"worker": ("dsn", "token")}
    assert set(master.own_secrets) == {"webserver", "scheduler", "dag_processor", "triggerer"}
    assert worker.environments == {"worker": {"REGION": "eu"}}
    assert master.environments == {}
    assert worker.secret_environments == {"worker": ("KEY", "PIN")}
    assert set(master.secret_environments.values()) == {("KEY",)}


def test_the_files_of_a_host():
    worker = nodes()["worker1"]
    own = {file["path"]: file["content"] for file in secrets.secret_files(worker.secrets, values_of(worker), "airflow")}
    assert own["/etc/airflow/secrets/token"] == "hunter2"
    found = {file["path"]: file for file in environment.component_files(worker, values(), "airflow")}
    assert found["/etc/airflow/environment.d/worker"]["content"] == 'REGION="eu"\n'
    secret = found["/etc/airflow/environment.d/worker.secret"]
    assert secret["content"] == 'KEY="x"\nPIN="4\\"\\$2"\n'
    assert secret["secret"]
    assert secret["mode"] == "0600"
    assert environment.own_file(worker.files[0], "a") == {
        "path": "/etc/airflow/files/kube/config",
        "group": "a",
        "mode": "0640",
        "src": "/k.j2",
        "template": True,
    }
    assert environment.own_file(worker.files[1], "a")["content"] == "{}"


def values_of(node):
    """Values of all secrets that the files of a host need."""
    given = {name: "x" for file in node.secrets for name in [getattr(file, "secret", "")] if name}
    return Secrets({**given, **values().values})


def test_a_process_sees_its_own_secrets():
    versions = {"broker_url": "1", "result_backend": "1", "dsn": "1", "token": "1"}
    mounts = airflow.secret_mounts("worker", 3, versions, "/s", ["dsn"])
    assert "/s/dsn" in mounts
    assert "/etc/airflow/nothing:/s/token" in mounts

    def digest(**changed):
        return digests.component_digest("worker", 3, {}, {**versions, **changed}, users=["dsn"])

    assert digest(token="2") == digest()
    assert digest(dsn="2") != digest()


def test_a_secret_environment_has_a_version_that_changes_with_it():
    worker = nodes()["worker1"]
    before = environment.environment_versions(worker, values())
    other = Secrets({**values().values, "variable:PIN": "5"})
    assert before != environment.environment_versions(worker, other)
    assert environment.environment_versions(nodes(airflow_secret_environment={})["worker1"], values()) == {}


def test_what_is_declared_no_more_goes():
    with_all = cluster.build([replace(host, files=files.files_of(FILES)) for host in reference()], defaults())
    without = cluster.build(reference(), defaults())
    recorded = files.paths(with_all.nodes["worker1"].airflow)
    assert recorded == ["/etc/airflow/files/kube/config", "/etc/airflow/files/regions.json"]
    assert leftovers.former_files([], recorded, with_all.nodes["worker1"]) == []
    assert leftovers.former_files([], recorded, without.nodes["worker1"]) == recorded
    # A host that runs nothing of Airflow any more.
    assert leftovers.former_files([], recorded, without.nodes["db1"]) == recorded
    # A secret of the user's whose name is one of ours now.
    assert leftovers.former_files([], ["/etc/airflow/secrets/broker_url"], without.nodes["worker1"]) == []


def test_values_are_in_no_model():
    model = cluster.build(reference(), defaults(airflow_secret_files=SECRET_FILES)).to_vars()
    assert "hunter" not in str(model)
    assert "hunter" not in repr(defaults(airflow_secret_files=SECRET_FILES, airflow_secret_environment=ENVIRONMENT))


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("files", [{"path": "a", "content": ""}], []),
        ("files", [{"path": "a", "content": "", "mode": "0755", "components": ["flower"]}], []),
        ("files", [{"path": "a"}], ["FD250 airflow_files[0]: found no src"]),
        ("files", [{"path": "a", "src": "/x", "content": "b"}], ["FD250 airflow_files[0]: found both src and content"]),
        ("files", [{"path": "/etc/passwd", "content": "b"}], ["FD250 airflow_files[0]: found the path '/etc/passwd'"]),
        ("files", [{"path": "../airflow.cfg", "content": "b"}], ["FD250 airflow_files[0]: found the path"]),
        ("files", [{"content": "b"}], ["FD250 airflow_files[0]: found the path None"]),
        ("files", [{"path": "a", "content": "b", "mode": 640}], ["FD250 airflow_files[0]: found the mode 640"]),
        ("files", [{"path": "a", "content": "b", "mode": "0660"}], ["FD250 airflow_files[0]: found the mode '0660'"]),
        ("files", [{"path": "a", "content": 1}], ["FD250 airflow_files[0].content: found a number"]),
        ("files", [{"path": "a", "contents": ""}], ["FD250 airflow_files[0]: found an unknown key", "FD250"]),
        (
            "files",
            [{"path": "a", "content": ""}, {"path": "./a", "content": ""}],
            ["FD250 airflow_files[1]: found /etc"],
        ),
        ("files", [{"path": "a", "content": "", "components": ["workers"]}], ["FD251 airflow_files[0].components"]),
        ("files", [{"path": "a", "content": "", "components": "worker"}], ["FD251 airflow_files[0].components"]),
        ("files", [{"path": "a", "src": "/nowhere"}], ["FD252 airflow_files[0].src: found /nowhere, which does not"]),
        ("files", [{"path": "a", "src": "files/a"}], ["FD252 airflow_files[0].src: found 'files/a', which is not abs"]),
        ("files", [{"path": "a", "src": "/tmp"}], ["FD252 airflow_files[0].src: found /tmp, which is no file"]),
        ("files", [{"path": "a", "src": "/etc/hosts", "template": 1}], ["FD250 airflow_files[0].template"]),
        ("secret_files", SECRET_FILES, []),
        ("secret_files", {"a/b": "x"}, ["FD253 airflow_secret_files.a/b: found an invalid name"]),
        (
            "secret_files",
            {"broker_url": "x"},
            ["FD253 airflow_secret_files.broker_url: found the name of a managed secret"],
        ),
        ("secret_files", {"a": ""}, ["FD253 airflow_secret_files.a: found no value"]),
        ("secret_files", {"a": None}, ["FD253 airflow_secret_files.a: found no value"]),
        ("secret_files", {"a": 12}, ["FD253 airflow_secret_files.a: found a number"]),
        (
            "secret_files",
            {"a": {"value": "x", "component": []}},
            ["FD253 airflow_secret_files.a: found an unknown key"],
        ),
        ("secret_files", {"a": {"value": "x", "components": ["x"]}}, ["FD251 airflow_secret_files.a.components"]),
        ("secret_environment", ENVIRONMENT, []),
        ("secret_environment", {"1A": "x"}, ["FD254 airflow_secret_environment.1A: found an invalid name"]),
        ("secret_environment", {"PATH": "x"}, ["FD254 airflow_secret_environment.PATH: found a variable that is no"]),
        ("secret_environment", {"A": "x\ny"}, ["FD254 airflow_secret_environment.A: found a line break"]),
        ("secret_environment", {"A": "x" * 140000}, ["FD254 airflow_secret_environment.A: found more than"]),
        ("component_environment", {"worker": {"A": "b"}}, []),
        ("unit_options", {"worker": {"LimitNOFILE": 1, "ReadWritePaths": ["/a", "/b"], "PrivateTmp": False}}, []),
        ("unit_options", {"worker": {"ExecStart": "x"}}, ["FD257 airflow_unit_options.worker.ExecStart: found a man"]),
        ("unit_options", {"worker": {"a b": "x"}}, ["FD257 airflow_unit_options.worker.a b: found an invalid name"]),
        ("unit_options", {"worker": {"Nice": "1\nUser=root"}}, ["FD257 airflow_unit_options.worker.Nice: found text"]),
        ("unit_options", {"worker": {"Nice": {}}}, ["FD257 airflow_unit_options.worker.Nice: found a dictionary"]),
        ("component_environment", {"workers": {"A": "b"}}, ["FD251 airflow_component_environment: found 'workers'"]),
        ("component_environment", {"worker": "A"}, ["FD251 airflow_component_environment.worker: found text"]),
    ],
)
def test_what_is_wrong(name, value, found):
    problems = [str(problem) for problem in validation.check({f"airflow_{name}": value})]
    assert len(problems) == len(found), problems
    assert all(problem.startswith(start) for problem, start in zip(problems, found, strict=True)), problems
    assert "hunter" not in str(problems)


def test_a_template_is_read_before(tmp_path):
    path = tmp_path / "a.j2"
    path.write_text("fine {{ inventory_hostname | to_nice_json }}\n{% if %}")
    assert "a.j2, line 2: Expected" in validation.source_fault(str(path), True)
    assert validation.source_fault(str(path), False) == ""


def test_code_is_one_tree(tmp_path):
    for part in ("plugins", "python"):
        (tmp_path / part / "package").mkdir(parents=True)
        (tmp_path / part / "package/a.py").write_text(part)
    (tmp_path / "python/link.py").symlink_to("package/a.py")
    sources = {part: str(tmp_path / part) for part in ("plugins", "python")}
    before = code.tree(sources)
    assert set(before.entries) == {
        "plugins.digest",
        "plugins/package/a.py",
        "python.digest",
        "python/link.py",
        "python/package/a.py",
    }
    (tmp_path / "plugins/package/a.py").write_text("other")
    after = code.tree(sources)
    assert before.generated["python.digest"] == after.generated["python.digest"]
    assert before.generated["plugins.digest"] != after.generated["plugins.digest"]
    assert set(code.tree({"python": sources["python"]}).entries) < set(before.entries)


def test_wrong_directories_of_code(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    settings = defaults(
        airflow_plugins_dir="/nowhere",
        airflow_python_dir=str(tmp_path),
        airflow_config={"core": {"plugins_folder": "/x"}},
    )
    problems = [str(problem) for problem in code.check(settings)]
    assert [problem.partition(":")[0] for problem in problems] == [
        "FD255 airflow_plugins_dir",
        "FD255 airflow_python_dir",
        "FD255 airflow_config.core.plugins_folder",
    ]
    assert "outside of" in problems[1]


def test_flower_loads_no_plugins():
    share = nodes(airflow_plugins_dir="/p", airflow_python_dir="/m")["worker1"].code
    assert files.code_files("flower", share) == ["/etc/airflow/code/current/python.digest"]
    assert len(files.code_files("worker", share)) == 2
    assert files.code_files("worker", None) == []


def test_directives_become_lines_of_their_sections():
    options = {"worker": {"LimitNOFILE": 65536, "RequiresMountsFor": ["/a", "/b"], "PrivateTmp": False}, "flower": {}}
    found = files.unit_lines(options, ["worker", "flower", "scheduler"])
    assert list(found) == ["worker"]
    assert found["worker"].unit == ("RequiresMountsFor=/a", "RequiresMountsFor=/b")
    assert found["worker"].service == ("LimitNOFILE=65536", "PrivateTmp=no")


def test_temporary_files_of_workers():
    (worker,) = (replace(each, worker_tmp_dir="/srv/tmp") for each in reference() if each.name == "worker1")
    assert files.environments(worker, {}) == {"worker": {"TMPDIR": "/srv/tmp"}}
    own = replace(worker, component_environment={"worker": {"TMPDIR": "/srv/other"}})
    assert files.environments(own, {}) == {"worker": {"TMPDIR": "/srv/other"}}
