"""Packages that users bring: a requirements file, a wheel, packages of one worker, Debian packages for tasks."""

from __future__ import annotations

from changes import change
from outside import run_in
from tasks import in_task


def python(host: str, program: str) -> str:
    """What the Python of Airflow on ``host`` prints."""
    return run_in(f"fd-custom-{host}", "/opt/airflow/current/bin/python", "-c", program).strip()


def test_a_task_imports_from_the_requirements_file_a_wheel_and_the_workers_own_package(cluster):
    body = "import acme_greeting, humanize, roman_numerals\n"
    body += "return [acme_greeting.TEXT, humanize.intcomma(12345), str(roman_numerals.RomanNumeral(4))]"
    assert in_task(cluster, body) == ["from a wheel", "12,345", "IV"]


def test_other_hosts_have_the_common_packages_only():
    assert python("core", "import acme_greeting, humanize; print(acme_greeting.TEXT)") == "from a wheel"
    found = "import importlib.util; print(importlib.util.find_spec('roman_numerals'))"
    assert python("core", found) == "None"


def test_a_debian_package_comes_later_without_a_restart(cluster):
    assert change("packages").restarted == set()
    assert in_task(cluster, "import shutil\nreturn shutil.which('jq')") == "/usr/bin/jq"
