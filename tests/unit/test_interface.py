"""The interface is one thing in three places: defaults, argument specs and what the code reads."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import types
from test_links import FENCE, LINK

ROOT = Path(__file__).parents[2]
SPECS = [
    yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
    for role in ("airflow", "backup", "metastore")
]
OPTIONS = SPECS[0]["argument_specs"]["cluster"]["options"]
ARGUMENTS = types.arguments(SPECS)
DEFAULTS: dict[str, object] = {}
for path in sorted((ROOT / "roles/airflow/defaults/main").glob("*.yml")):
    DEFAULTS.update(yaml.safe_load(path.read_text()) or {})
SECRETS = {f"airflow_{name}" for name in GENERATED}
GIVEN = {"airflow_broker_url", "airflow_sqs_secret_access_key", "airflow_backup_s3_secret_access_key"}
GIVEN |= {"airflow_ldap_bind_password", "airflow_openid_client_secret"}
# They may hold a login.
GIVEN |= {"airflow_dags_git_key", "airflow_dags_git_token"}
GIVEN |= {"airflow_package_extra_index_urls", "airflow_package_index_url", "airflow_package_proxy"}


def sources():
    """Text of everything that may read a variable."""
    paths = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("plugins/**/*.py")]
    paths += [
        path
        for path in ROOT.glob("roles/**/*")
        if path.is_file() and path.suffix in (".yml", ".j2", ".py") and "locks" not in path.parts
    ]
    return {
        path: path.read_text() for path in paths if "defaults" not in path.parts and path.name != "argument_specs.yml"
    }


def test_every_default_is_in_the_spec_and_says_the_same():
    every = {**OPTIONS, **ARGUMENTS, **SPECS[0]["argument_specs"]["component"]["options"]}
    assert {name: option["default"] for name, option in every.items() if "default" in option} == DEFAULTS


def test_options_without_a_default_are_secrets_or_belong_to_a_host():
    assert set(OPTIONS) - set(DEFAULTS) == SECRETS | {"airflow_address"}


def test_what_an_operator_says_for_one_run_is_no_setting():
    """Nor is anything that a playbook sets: a model is made from settings alone."""
    path = ROOT / "roles/airflow/defaults/main/arguments.yml"
    assert set(ARGUMENTS) == set(yaml.safe_load(path.read_text()))
    assert set(OPTIONS).isdisjoint(set(ARGUMENTS) | types.INTERNAL)
    assert set(DEFAULTS) - set(OPTIONS) - set(ARGUMENTS) <= types.INTERNAL


def test_an_option_that_several_entry_points_have_has_one_default():
    found = {}
    for document in SPECS:
        for entry_point in document["argument_specs"].values():
            for name, option in entry_point["options"].items():
                if "default" in option:
                    found.setdefault(name, []).append(option["default"])
    assert {
        name: defaults for name, defaults in found.items() if any(default != defaults[0] for default in defaults)
    } == {}


@pytest.mark.parametrize("name", sorted(SECRETS | GIVEN))
def test_a_secret_is_never_shown(name):
    assert OPTIONS[name]["no_log"] is True
    assert "choices" not in OPTIONS[name]


@pytest.mark.parametrize("name", sorted({**OPTIONS, **ARGUMENTS}))
def test_every_option_is_read_and_described(name):
    assert {**OPTIONS, **ARGUMENTS}[name]["description"].endswith(".")
    if name in SECRETS:
        return
    # As a variable, as a field of the settings, or as a secret that the model names.
    short = name.removeprefix("airflow_")
    assert any(
        re.search(rf'\b{name}\b|\bsettings\.{short}\b|\bsecret_name\("{short}"\)', text) for text in sources().values()
    )


def test_no_variable_of_ours_is_used_without_a_default():
    known = set(OPTIONS) | set(ARGUMENTS) | types.INTERNAL
    unknown = set()
    for path, text in sources().items():
        # Alerts have names of metrics.
        if path.suffix == ".py" or path.name.endswith(".rules.yml"):
            continue
        for name in re.findall(r"(?<![\w./-])airflow_[a-z0-9_]+\b(?!\.py|\s*:\s*\S*\.yml|\.conf|\.service)", text):
            # Names of groups, tests of our files, and keys of the model.
            if name not in known and not re.fullmatch(
                r"airflow_(archive|clean|hosts|url|user|root|port|cfg|health|node|unit|results|lease|sched_)|airflow_release\w*",
                name,
            ):
                unknown.add((path.relative_to(ROOT).as_posix(), name))
    # The inventory's, and those that the model phase makes.
    groups = {f"airflow_{group}" for group in GROUPS} | {
        "airflow_cluster_hosts",
        "airflow_component_hosts",
        "airflow_removed_hosts",
    }
    assert sorted((path, name) for path, name in unknown if name not in groups) == []


MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def test_playbooks_are_what_an_operator_types():
    """Parts that are no use alone are in playbooks/phases."""
    changing = {
        "site",
        "backup",
        "restore",
        "restore_drill",
        "deploy_dags",
        "rollback_dags",
        "objects",
        "stop",
        "start",
        "switchover",
        "drain",
        "undrain",
        "recover_majority",
        "remove_host",
        "uninstall",
        "rolling_restart",
        "replace_host",
        "grow_metastore",
        "rotate_secrets",
        "airflow_db",
        "db_clean",
        "update_packages",
        "upgrade_check",
        "upgrade_rehearse",
        "upgrade",
        "rollback",
    }
    reading = {"plan", "validate", "status", "support_bundle", "verify"}
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yml")} == changing | reading


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_documented(name):
    module = importlib.import_module(f"ansible_collections.flightdeck.airflow.plugins.modules.{name}")
    document = yaml.safe_load(module.DOCUMENTATION)
    assert document["module"] == name
    assert yaml.safe_load(module.EXAMPLES)
    source = (ROOT / "plugins/modules" / f"{name}.py").read_text() + "".join(
        path.read_text() for path in [ROOT / "plugins/action" / f"{name}.py"] if path.exists()
    )
    if "_object_module" in source:
        # Their specs are made from the fields of objects.
        paths = [ROOT / "plugins/module_utils" / f"{each}.py" for each in ("_object_module", "_objects")]
        source += "".join(path.read_text() for path in paths)
    for option in document.get("options") or {}:
        assert f'"{option}"' in source, option


@pytest.mark.parametrize("name", MODULES)
def test_the_page_of_the_architecture_says_why_a_module_exists(name):
    page = (ROOT / "docs/architecture.md").read_text()
    table = page.partition("## Our modules, and why not others")[2]
    assert re.search(rf"^\|[^|]*`{name}`", table, re.MULTILINE)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    command = [
        Path(sys.executable).parent / "ansible-galaxy",
        "collection",
        "build",
        str(ROOT),
        "--output-path",
        str(target),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return next(target.glob("*.tar.gz"))


def test_the_archive_holds_what_users_need_and_nothing_else(archive):
    with tarfile.open(archive) as content:
        names = content.getnames()
    tops = {name.split("/")[0] for name in names}
    wanted = {
        "roles",
        "playbooks",
        "plugins",
        "meta",
        "docs",
        "inventories",
        "changelogs",
        "site.yml",
        "README.md",
        "LICENSE",
        "LICENSES",
        "MANIFEST.json",
    }
    assert wanted <= tops
    policies = {"CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "MAINTAINING.md", "SECURITY.md"}
    assert tops - wanted <= {"FILES.json", "CHANGELOG.rst", "bindep.txt", "execution-environment.yml"} | policies
    # Links of the README lead to them.
    assert policies <= tops
    assert "docs/ansible.cfg" in names
    assert not [
        name
        for name in names
        if "airflow_secrets" in name or ".airflow_" in name or "__pycache__" in name or "/lab/" in name
    ]


def test_links_of_its_pages_lead_to_files_in_the_archive(archive):
    with tarfile.open(archive) as content:
        names = set(content.getnames())
        pages = {name: content.extractfile(name).read().decode() for name in names if name.endswith(".md")}
    assert {"README.md", "docs/tutorial.md", "roles/airflow/README.md"} <= set(pages)
    targets = {
        (name, os.path.normpath(Path(name).parent / link.partition("#")[0]))
        for name, text in pages.items()
        for link in LINK.findall(FENCE.sub("", text))
        if not link.startswith("#")
    }
    assert sorted((name, target) for name, target in targets if target not in names) == []


def test_it_works_from_an_empty_path_by_its_full_names(archive, tmp_path):
    bin_dir = Path(sys.executable).parent
    install = [
        bin_dir / "ansible-galaxy",
        "collection",
        "install",
        "--no-deps",
        "--offline",
        str(archive),
        "-p",
        str(tmp_path),
    ]
    site = next(Path(path) for path in sys.path if (Path(path) / "ansible_collections/community").is_dir())
    environment = {
        "PATH": f"{bin_dir}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{site}",
        "LC_ALL": "C.UTF-8",
    }
    subprocess.run(install, check=True, capture_output=True, env=environment)
    inventory = tmp_path / "ansible_collections/flightdeck/airflow/inventories/prod"
    # What operators type, and the phase that a playbook of their own begins with.
    names = [path.stem for path in sorted((ROOT / "playbooks").glob("*.yml"))] + ["phases.preflight"]
    plays = [{"ansible.builtin.import_playbook": f"flightdeck.airflow.{name}"} for name in names]
    (tmp_path / "use.yml").write_text(yaml.safe_dump(plays))
    check = [bin_dir / "ansible-playbook", "--syntax-check", "-i", str(inventory), str(tmp_path / "use.yml")]
    done = subprocess.run(check, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    docs = subprocess.run(
        [bin_dir / "ansible-doc", "flightdeck.airflow.config_files"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "FLIGHTDECK.AIRFLOW.CONFIG_FILES" in docs.stdout.upper()


@pytest.mark.parametrize("page", ["variables", "model"])
def test_a_generated_page_is_what_its_source_says(page):
    rendered = runpy.run_path(str(ROOT / f".config/render_{page}.py"))["render"]()
    assert (ROOT / f"docs/{page}.md").read_text() == rendered, "run make docs"


def test_messages_name_playbooks_as_users_run_them():
    """By full names: an installed collection has no path that users could type."""
    paths = [
        *ROOT.glob("plugins/**/*.py"),
        *(path for path in ROOT.glob("roles/*/*/*") if path.parent.name in ("tasks", "vars", "handlers", "files")),
        *ROOT.glob("playbooks/**/*.yml"),
    ]
    names = "|".join(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
    said = re.compile(rf"^[^#]*\b(?:[Rr]un|by|then) (?:`|C\()?(?:playbooks/)?(?:{names})\.yml", re.MULTILINE)
    assert {
        path.name: said.findall(path.read_text()) for path in paths if path.is_file() and said.search(path.read_text())
    } == {}


def test_the_least_ansible_core_is_tested():
    cores = runpy.run_path(str(ROOT / ".config/cores.py"))["CORES"]
    assert yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"] == f">={cores[0].version}"
    documented = (ROOT / "docs/testing.md").read_text()
    assert [core.version for core in cores if not re.search(rf"^\| {core.version}\b", documented, re.MULTILINE)] == []
