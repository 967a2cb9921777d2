"""Pages for users are right where a computation can tell: inventories and examples validate, playbooks exist, figures
are those of the code, every page is in the menu of the site. Sentences are short.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    MAIN_PROCESS_MB,
    POOL_PROCESS_MB,
    SERVICES,
    SYSTEM_MB,
    TASK_MB,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import TESTED_VERSIONS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.worker_units import worker_concurrency
from test_words import FENCE, pages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# For those who have a clone: they name paths of the repository.
FOR_CONTRIBUTORS = {"CONTRIBUTING.md", "MAINTAINING.md", "testing.md", "architecture.md", "model.md"}
MARKDOWN = [path for path in pages() if path.suffix == ".md"]
FOR_USERS = [path for path in MARKDOWN if path.name not in FOR_CONTRIBUTORS]
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
# Words of a sentence, on average over a page.
MOST_WORDS = 18


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def blocks(page, language):
    """The contents of the fenced blocks of a page in a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(page, language, first_line):
    """The block of a page that begins with a line."""
    (found,) = (each for each in blocks(page, language) if each.startswith(f"{first_line}\n"))
    return found


def play(name, inventory, folder):
    """Output of a playbook by its full name, with the recommended ansible.cfg, from another directory."""
    site = next(path for path in sys.path if (Path(path) / "ansible_collections/community").is_dir())
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(DOCS / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.collections'}:{site}",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [Path(sys.executable).parent / "ansible-playbook", f"flightdeck.airflow.{name}", "-i", str(inventory)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def tutorial(tmp_path):
    """The directory that the tutorial makes, with what it puts there by step 4."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "dags").mkdir()
    hosts = block(DOCS / "tutorial.md", "yaml", "# inventory/hosts.yml")
    (tmp_path / "inventory/hosts.yml").write_text(hosts)
    return tmp_path


def test_the_inventory_of_the_tutorial_is_valid_and_that_of_the_readme(tutorial):
    shown = block(DOCS / "tutorial.md", "text", "Cluster airflow is valid: 3 hosts, Airflow 3.3.2.")
    assert shown.strip() in play("validate", "inventory", tutorial)
    assert block(ROOT / "README.md", "yaml", "# inventory/hosts.yml") == (tutorial / "inventory/hosts.yml").read_text()
    # Nothing is written before a deployment.
    assert [path.name for path in (tutorial / "inventory").iterdir()] == ["hosts.yml"]


def test_the_later_steps_of_the_tutorial_are_valid(tutorial):
    page = DOCS / "tutorial.md"
    settings = tutorial / "inventory/group_vars/all/airflow.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text(block(page, "yaml", "# inventory/group_vars/all/airflow.yml"))
    (tutorial / "dags/hello.py").write_text(block(page, "python", "# dags/hello.py"))
    (change,) = (each for each in blocks(page, "yaml") if "reports" in each)
    hosts = tutorial / "inventory/hosts.yml"
    former = hosts.read_text().splitlines(keepends=True)
    assert former[-1].lstrip().startswith("airflow_worker:")
    hosts.write_text("".join(former[:-1]) + change)
    assert "Cluster airflow is valid: 3 hosts" in play("validate", "inventory", tutorial)


def test_the_examples_of_the_variables_are_valid_together(tmp_path):
    """In the inventory that the install page says to copy."""
    inventory = tmp_path / "inventories/prod"
    subprocess.run(["cp", "-r", str(ROOT / "inventories"), str(tmp_path)], check=True)
    topics = yaml.safe_load((ROOT / ".config/topics.yml").read_text())
    examples = [topic["example"] for topic in topics if "example" in topic]
    assert len(examples) > 15
    variables = "".join(examples)
    assert len(yaml.safe_load(variables)) == sum(len(yaml.safe_load(example)) for example in examples)
    secrets = {name: f"Uncommon-{name}-4711" for name in re.findall(r"{{ (vault_\w+) }}", variables)}
    (inventory / "group_vars/all/examples.yml").write_text(variables + yaml.safe_dump(secrets))
    # What they replace.
    common = inventory / "group_vars/all/airflow.yml"
    (tmp_path / "inventories/dags").mkdir()
    kept = {k: v for k, v in yaml.safe_load(common.read_text()).items() if k not in yaml.safe_load(variables)}
    common.write_text(yaml.safe_dump(kept))
    assert "Cluster sales is valid: 9 hosts" in play("validate", inventory, tmp_path)


def test_every_setting_is_in_one_section():
    text = (DOCS / "variables.md").read_text()
    rows = re.findall(r"^\| `(airflow_\w+)` \| \w+ \|", text, re.MULTILINE)
    assert len(rows) == len(set(rows))
    topics = yaml.safe_load((ROOT / ".config/topics.yml").read_text())
    stems = [stem for topic in topics for stem in topic["files"]]
    assert len(stems) == len(set(stems))
    assert {path.stem for path in (ROOT / "roles/airflow/defaults/main").glob("*.yml")} >= set(stems)


def test_every_playbook_is_in_the_reference():
    table = re.findall(r"^\| `(\w+)` \|", (DOCS / "playbooks.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(PLAYBOOKS)


@pytest.mark.parametrize("page", FOR_USERS, ids=name_of)
def test_commands_for_users_need_no_clone(page):
    text = page.read_text(encoding="utf-8")
    # Up to what is no option before the name: environment variables of the command stand in front of it.
    named = re.findall(r"\bansible-playbook (?:-i \S+ )?([\w./]+)", text)
    assert {name for name in named if name.removeprefix("flightdeck.airflow.") not in PLAYBOOKS} == set()
    assert [name for name in named if not name.startswith("flightdeck.airflow.")] == []
    # Those have the texts of the code.
    assert page.name in ("codes.md", "variables.md") or re.findall(r"`playbooks/\w+\.yml", text) == []


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_full_names_exist(page):
    parts = [ROOT / "roles", *(ROOT / "plugins" / kind for kind in ("modules", "filter", "callback", "action"))]
    known = PLAYBOOKS | {path.stem for part in parts for path in part.iterdir()} | {"phases"}
    named = re.findall(r"\bflightdeck\.airflow\.(\w+)", page.read_text(encoding="utf-8"))
    assert {name for name in named if name not in known} == set()


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_commands_are_fenced(page):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert re.findall(r"^(?: {4,}|\t)(?:ansible|make|pip)\b.*", prose, re.MULTILINE) == []


def sentences(text):
    """The numbers of words of the sentences of a page, without code, tables and headings."""
    prose = FENCE.sub("", text)
    prose = "\n".join("" if line.startswith(("|", "#", "<!--")) else line for line in prose.splitlines())
    prose = re.sub(r"`[^`]*`", "x", re.sub(r"\]\([^)]*\)", "", prose))
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose):
        for sentence in re.split(r"(?<=[.!?:])\s+", part.strip()):
            if (words := len(re.findall(r"[\w'/.-]*\w", sentence))) > 2:
                yield words


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_sentences_are_short(page):
    found = list(sentences(page.read_text(encoding="utf-8")))
    assert sum(found) <= MOST_WORDS * len(found)


def test_sentences_are_counted():
    text = "# A title of five words\n\nOne two three. Four five six seven\neight: `a b c` nine ten!\n\n| a table |\n"
    assert list(sentences(text)) == [3, 5, 3]


def test_the_recommended_configuration_is_that_of_the_tests():
    def read(text):
        parser = configparser.ConfigParser()
        parser.read_string(text)
        return {section: dict(parser[section]) for section in parser.sections()}

    recommended = read((DOCS / "ansible.cfg").read_text())
    own = read((ROOT / "ansible.cfg").read_text())
    # A clone finds itself by a link; an installed collection is found without a setting.
    del own["defaults"]["collections_path"]
    assert recommended == own
    (shown,) = (each for each in blocks(DOCS / "install.md", "ini") if "forks" in each)
    assert read(shown) == recommended


def test_the_figures_of_the_sizes_are_those_of_the_code():
    text = (DOCS / "sizing.md").read_text()
    memory = {service.name: service.memory_mb for service in SERVICES}
    memory["worker"] = MAIN_PROCESS_MB + POOL_PROCESS_MB + TASK_MB
    rows = {
        "HAProxy": ["haproxy"],
        "etcd": ["etcd"],
        "pgBackRest": ["backup"],
        "Redis": ["redis"],
        "RabbitMQ": ["rabbitmq"],
        "PostgreSQL": ["metastore"],
        "webserver, triggerer": ["webserver", "triggerer"],
        "scheduler, DAG processor": ["scheduler", "dag_processor"],
        "worker": ["worker"],
        "Flower": ["flower"],
        "ticket renewer": ["kerberos"],
    }
    for title, services in rows.items():
        (shown,) = re.findall(rf"^\| {title} \| (\d+)", text, re.MULTILINE)
        assert {memory[name] for name in services} == {int(shown)}, title
    master = SYSTEM_MB + sum(memory[name] for name in ("webserver", "scheduler", "dag_processor", "triggerer"))
    single = master + sum(memory[name] for name in ("haproxy", "metastore", "rabbitmq", "worker"))
    line = f"needs {master} MiB, a worker with one queue {SYSTEM_MB + memory['worker']}, and a single host with"
    assert line in " ".join(text.split())
    assert f"everything {single}." in " ".join(text.split())
    # A machine reports a few per cent less than its size.
    for processors, gib, slots in re.findall(r"^\| (\d+) \| (\d+) GiB \| (\d+) \|", text, re.MULTILINE):
        assert worker_concurrency(int(processors), int(int(gib) * 1024 * 0.95), 1) == int(slots)


def test_the_support_matrix_has_what_the_catalogue_has():
    text = (DOCS / "support.md").read_text()
    assert set(re.findall(r"^\| (\d+\.\d+\.\d+) \|", text, re.MULTILINE)) == set(TESTED_VERSIONS)
    heads = re.findall(r"Debian (\d+)(?: \(Python ([\d.]+)\))", text)
    assert set(heads) == {(each.release, each.python_minor) for each in PLATFORMS.values()}
    for title, values in {
        "PostgreSQL": [each.postgresql for each in PLATFORMS.values()],
        "RabbitMQ": [each.rabbitmq for each in PLATFORMS.values()],
    }.items():
        assert f"| {title} | {' | '.join(values)} |" in text


@pytest.mark.parametrize("page", ["install", "tutorial"])
def test_users_install_the_ansible_that_is_tested(page):
    (tested,) = re.findall(r"^(ansible-core\S+)$", (ROOT / "requirements-up.in").read_text(), re.MULTILINE)
    assert f"pip install '{tested}'" in (DOCS / f"{page}.md").read_text()


def test_every_page_is_in_the_menu_of_the_site():
    menus = re.findall(r"^```{toctree}\n(.*?)^```$", (ROOT / ".config/site/index.md").read_text(), re.M | re.S)
    lines = [line for menu in menus for line in menu.splitlines() if line and not line.startswith(":")]
    listed = [re.sub(r"^.* <(.*)>$", r"\1", line) for line in lines]
    assert len(listed) == len(set(listed))
    there = {path.relative_to(ROOT).with_suffix("").as_posix() for path in [*ROOT.glob("*.md"), *DOCS.glob("*.md")]}
    # The build makes these.
    assert set(listed) == there | {"CHANGELOG", "reference/index", "docs/roles"}


TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_readme_has_two_commands_for_a_clone():
    (clone,) = (each for each in blocks(ROOT / "README.md", "console") if "make " in each)
    assert re.findall(r"^make (\S+)", clone, re.MULTILINE) == ["up", "test"]
    assert {"up", "test"} <= TARGETS


def test_ci_calls_targets_that_exist():
    files = [*(ROOT / ".github/workflows").glob("*.yml"), ROOT / ".gitlab-ci.yml"]
    called = {name for path in files for name in re.findall(r"\bmake ([a-z-]+)", path.read_text())}
    assert {"test", "test-more", "docs-site"} <= called <= TARGETS
