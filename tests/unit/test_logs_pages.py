"""The examples of the pages about logs, mail, time zones and secrets backends are valid inventories."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from test_bad_inputs import copied, run

ROOT = Path(__file__).parents[2]
# What examples take from a file encrypted with ansible-vault.
VAULT = re.compile(r"\bvault_\w+")
PAGES = {
    "logs.md": ["retention", "an object store", "a connection of one's own", "elasticsearch"],
    "mail.md": ["a connection", "airflow 2"],
    "time-zones.md": ["both"],
    "secrets-backends.md": ["a file", "aws", "vault"],
}
EXAMPLES = [(page, number) for page, names in PAGES.items() for number in range(len(names))]


def examples(page):
    return re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_no_example_is_left_out():
    assert {page: len(examples(page)) for page in PAGES} == {page: len(names) for page, names in PAGES.items()}


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_an_example_is_valid(page, number, tmp_path):
    inventory = copied(tmp_path)
    text = examples(page)[number]
    variables = inventory / "group_vars/all"
    (variables / "example.yml").write_text(text)
    more = dict.fromkeys(VAULT.findall(text), "kjh3KJH2kjh3-2lkj")
    if PAGES[page][number] == "airflow 2":
        more["airflow_version"] = "2.11.2"
    (variables / "more.yml").write_text(yaml.safe_dump(more))
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0, output
