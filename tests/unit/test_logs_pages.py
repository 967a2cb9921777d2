"""The examples of the pages about logs and time zones are valid inventories."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_bad_inputs import copied, run

ROOT = Path(__file__).parents[2]
PAGES = {
    "logs.md": ["retention"],
    "time-zones.md": ["both"],
}
EXAMPLES = [(page, number) for page, names in PAGES.items() for number in range(len(names))]


def examples(page):
    return re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_no_example_is_left_out():
    assert {page: len(examples(page)) for page in PAGES} == {page: len(names) for page, names in PAGES.items()}


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_an_example_is_valid(page, number, tmp_path):
    inventory = copied(tmp_path)
    (inventory / "group_vars/all/example.yml").write_text(examples(page)[number])
    returncode, output = run(inventory, playbook="playbooks/validate.yml")
    assert returncode == 0, output
