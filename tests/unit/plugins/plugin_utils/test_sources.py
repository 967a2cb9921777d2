"""Where the user's packages come from: requirements files, wheels, constraints; and versions that were not tested."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import airflow_options, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.requirements import requirements, wheel_name
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import airflow_options as validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import inventory, sources

PYTHONS = ("3.11", "3.13")


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("3.3.2", "3.3.2"),
        ("3.3.9", "3.3.2"),
        ("3.2.0", "3.2.2"),
        ("3.0.6", "3.2.2"),
        ("3.9.0", "3.3.2"),
        ("2.11.0", "2.11.2"),
        ("2.10.5", "2.11.2"),
    ],
)
def test_the_nearest_tested_version(version, found):
    assert versions.nearest(version).full == found


@pytest.mark.parametrize("version", ["", "3", "3.3", "3.3.3rc1", "4.0.0", "1.10.15", "3.3.2 "])
def test_what_has_no_nearest_version(version):
    assert not versions.has_nearest(version)
    (problem,) = inventory.check_version(version, allowed=True)
    assert problem.code == "FD104"


@pytest.mark.parametrize(
    ("version", "allowed", "codes"),
    [
        ("3.3.2", False, []),
        ("3.3.1", False, ["FD280"]),
        ("3.1.8", False, ["FD104"]),
        ("3.1.8", True, ["FD280"]),
        ("3.4.0", True, ["FD280"]),
    ],
)
def test_another_minor_has_to_be_allowed(version, allowed, codes):
    assert [problem.code for problem in inventory.check_version(version, allowed=allowed)] == codes


def test_another_minor_needs_a_lock():
    (problem,) = sources.check(sources.Sources(), "3.1.8")
    assert (problem.code, problem.where) == ("FD104", "airflow_lock_file")
    assert sources.check(sources.Sources(lock_file="/lock"), "3.1.8") == []
    assert sources.check(sources.Sources(), "3.3.1") == []


def test_names_of_a_version_that_was_not_tested_are_checked_against_its_release():
    config = {"api": {"new_option": "x"}, "core": {"parallelism": "many"}}
    assert [problem.code for problem in validation.check_config(config, "3.3.2")] == ["FD131", "FD135"]
    assert [problem.code for problem in validation.check_config(config, "3.3.1")] == ["FD135"]
    text = (airflow_options.DIRECTORY / "3.3.2.json").read_text()
    release = json.loads(text) | {"airflow": "3.3.1"}
    environment = {"AIRFLOW__CORE__OTHER_OPTION": "1"}
    found = validation.check_names(config, environment, [], airflow_options.parse(json.dumps(release)))
    assert [problem.where for problem in found] == [
        "airflow_config.api.new_option",
        "airflow_environment.AIRFLOW__CORE__OTHER_OPTION",
    ]
    release["sections"]["api"]["new_option"] = release["sections"]["core"]["other_option"] = "string"
    assert validation.check_names(config, environment, [], airflow_options.parse(json.dumps(release))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("# only a comment\n\n", []),
        ("a==1 # why\nb[x]>=2,<3 ; python_version > '3'\n", ["a==1", "b[x]>=2,<3 ; python_version > '3'"]),
        ("a==1 \\\n    --hash=sha256:00 \\\n  --hash=sha256:11\n", ["a==1 --hash=sha256:00 --hash=sha256:11"]),
        ("a @ https://example.org/a.whl#sha256=00\r\n", ["a @ https://example.org/a.whl#sha256=00"]),
    ],
)
def test_lines_of_a_requirements_file(text, found):
    assert requirements(text) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-r other.txt", "'-r other.txt'; expected one Python requirement"),
        ("--index-url https://user:token@example.org", "'--index-url"),
        ("./local", "'./local'"),
        ("apache-airflow==3.0.0", "packages besides Airflow"),
        ("a==1\na==2", "a twice"),
    ],
)
def test_what_is_no_requirement(tmp_path, text, says):
    file = tmp_path / "requirements.txt"
    file.write_text(text)
    _found, problems = sources.read_requirements(str(file), "3.3.2")
    assert [problem.code for problem in problems] == ["FD117"]
    assert says in str(problems[0]) or "token" in text
    assert "token" not in str(problems[0])


def test_sums_in_a_requirements_file_are_kept(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("a==1 --hash=sha256:00")
    assert sources.read_requirements(str(file), "3.3.2") == (["a==1 --hash=sha256:00"], [])


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "nothing", tmp_path, tmp_path / "binary"):
        (problem,) = sources.read_requirements(str(path), "3.3.2")[1]
        assert problem.code == "FD281"
        (problem,) = sources.check(sources.Sources(constraints=str(path)), "3.3.2")
        assert problem.code == "FD281"
    assert sources.check(sources.Sources(constraints="https://example.org/constraints.txt"), "3.3.2") == []


@pytest.mark.parametrize(
    ("file", "requirement", "fits"),
    [
        ("acme_tools-1.0-py3-none-any.whl", "acme-tools==1.0", PYTHONS),
        ("acme-1.0-2-py2.py3-none-any.whl", "acme==1.0", PYTHONS),
        (
            "Acme.Tools-1.0+local.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "acme-tools==1.0+local.1",
            ("3.11",),
        ),
        ("acme-1.0-cp39-abi3-linux_x86_64.whl", "acme==1.0", PYTHONS),
        ("acme-1.0-cp312-abi3-linux_x86_64.whl", "acme==1.0", ("3.13",)),
        ("acme-1.0-py312-none-any.whl", "acme==1.0", ("3.13",)),
        ("acme-1.0-cp310-cp310-linux_x86_64.whl", "acme==1.0", ()),
        ("acme-1.0-cp311-cp311-win_amd64.whl", "acme==1.0", ()),
        ("acme-1.0-py2-none-any.whl", "acme==1.0", ()),
    ],
)
def test_what_the_name_of_a_wheel_says(file, requirement, fits):
    name = wheel_name(file)
    assert name.requirement == requirement
    assert tuple(python for python in PYTHONS if name.fits(python)) == fits


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "no wheel in"),
        (["acme-1.0.tar.gz"], "no wheel in"),
        (["acme.whl"], "found 'acme.whl'; expected name-version-python-abi-platform.whl"),
        (["acme-1.0-cp310-cp310-linux_x86_64.whl"], "expected a wheel for Linux and Python 3.11 or 3.13"),
        (["acme-1.0-py3-none-any.whl", "acme-1.1-py3-none-any.whl"], "found acme 1.0 and 1.1"),
    ],
)
def test_wheels_that_cannot_be_used(tmp_path, files, says):
    for file in files:
        (tmp_path / file).write_text("")
    (problem,) = sources.read_wheels(str(tmp_path), "3.3.2")[1]
    assert problem.code == "FD282"
    assert says in str(problem)


def test_wheels_of_several_pythons(tmp_path):
    for python in ("cp311", "cp313"):
        (tmp_path / f"acme-1.0-{python}-{python}-linux_x86_64.whl").write_text(python)
    found, problems = sources.read_wheels(str(tmp_path), "3.3.2")
    assert problems == []
    assert [wheel.requirement for wheel in found] == ["acme==1.0", "acme==1.0"]
    assert len({wheel.sha256 for wheel in found}) == 2
