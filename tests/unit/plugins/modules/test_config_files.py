"""The action and its module as Ansible runs them, on real files below a temporary directory."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
# What the module tells the journal of the host.
JOURNAL = """
import os
def send(**fields):
    with open(os.environ["JOURNAL"], "a") as stream:
        stream.write(repr(fields) + "\\n")
sendv = send
"""


class Role:
    """A role of its own in a temporary directory, whose tasks run on this machine."""

    def __init__(self, folder):
        self.folder = folder
        self.place = folder / "place"
        self.role = folder / "roles/mine"
        for path in (self.place, self.role / "templates", self.role / "files", folder / "python/systemd"):
            path.mkdir(parents=True)
        (folder / "python/systemd/__init__.py").touch()
        (folder / "python/systemd/daemon.py").write_text("def booted():\n    return True\n")
        (folder / "python/systemd/journal.py").write_text(JOURNAL)

    def add(self, name, text):
        path = self.role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *tasks, flags=(), **variables):
        """Results of the tasks, with all that Ansible said."""
        (self.role / "tasks").mkdir(exist_ok=True)
        (self.role / "tasks/main.yml").write_text(yaml.safe_dump(list(tasks)))
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "roles": ["mine"],
            "vars": {**variables, "place": str(self.place)},
        }
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "PYTHONPATH": str(self.folder / "python"),
            "JOURNAL": str(self.folder / "journal"),
        }
        command = [
            Path(sys.executable).parent / "ansible-playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "play.yml",
            *flags,
        ]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, env=environment, timeout=600, check=False
        )
        return SaidBy(done)

    def write(self, *flags, variables=None, **arguments):
        """What one task with the action said."""
        task = {"name": "Write", "flightdeck.airflow.config_files": arguments}
        return self.run(task, flags=flags, **(variables or {}))

    def journal(self):
        return (self.folder / "journal").read_text()


class SaidBy:
    """The end of a run."""

    def __init__(self, done):
        self.text = done.stdout + done.stderr
        self.failed = done.returncode != 0
        self.changed = "changed: [localhost]" in self.text


def file(path, mode="0640", **more):
    return {"path": str(path), "mode": mode, **ME, **more}


@pytest.fixture
def role(tmp_path):
    return Role(tmp_path)


TEMPLATE = """{{ ansible_managed | comment }}
{% for name in names %}
name = {{ name }}
{% endfor %}
\\d+ {{ 'a\\tb' }} {{ inner }}
{% if false %}
never
{% endif %}
{% include 'etc/part.j2' %}
{{ names | to_json }}
"""


def test_a_template_is_rendered_as_ansible_builtin_template_does_it(role):
    role.add("templates/etc/part.j2", "part of {{ names | length }}\n")
    role.add("templates/etc/main.conf.j2", TEMPLATE)
    # One expression, which is a number for Jinja.
    role.add("templates/etc/only.j2", "{{ names | length }}\n")
    files = [("etc/main.conf.j2", "main"), ("etc/only.j2", "only")]
    builtin = [
        {
            "name": "Write",
            "ansible.builtin.template": {"src": src, "dest": f"{{{{ place }}}}/{name}.builtin", "mode": "0640"},
        }
        for src, name in files
    ]
    ours = {"files": [file(role.place / f"{name}.ours", src=src) for src, name in files]}
    more = {"vars": {"inner": "{{ names | first }} of the task"}}
    said = role.run(
        *({**task, **more} for task in builtin),
        {"name": "Write", "flightdeck.airflow.config_files": ours, **more},
        names=["one", "two ä"],
    )
    assert not said.failed, said.text
    for _src, name in files:
        assert (role.place / f"{name}.ours").read_bytes() == (role.place / f"{name}.builtin").read_bytes()
    assert "\\d+ a\tb one of the task\npart of 2" in (role.place / "main.ours").read_text()


def test_the_path_of_a_template_is_that_of_its_target(role):
    role.add(f"templates/{str(role.place).lstrip('/')}/etc/a.conf.j2", "[{{ 1 + 1 }}]\n")
    role.add("files/check.py", "{{ as it is }}\n")
    said = role.write(files=[file(role.place / "etc/a.conf"), file(role.place / "check", src="check.py", mode="0755")])
    assert not said.failed, said.text
    assert (role.place / "etc/a.conf").read_text() == "[2]\n"
    assert (role.place / "check").read_text() == "{{ as it is }}\n"
    assert (role.place / "check").stat().st_mode & 0o777 == 0o755
    missing = role.write(files=[file(role.place / "b.conf")])
    assert f"{role.place}/b.conf: Could not find" in missing.text


def wanted(place, content="one\n", mode="0640"):
    return {
        "directories": [{"path": str(place / "etc"), "mode": "0750", **ME}],
        "files": [file(place / "etc/a.conf", mode=mode, content=content)],
        "absent": [str(place / "old")],
    }


def test_what_is_written_stays_as_it_is_until_something_differs(role):
    place = role.place
    (place / "old").write_text("left over")
    before = role.write("--check", "--diff", **wanted(place))
    assert before.changed
    assert [path.name for path in place.iterdir()] == ["old"]

    assert role.write(**wanted(place)).changed
    assert (place / "etc/a.conf").read_text() == "one\n"
    assert (place / "etc/a.conf").stat().st_mode & 0o777 == 0o640
    assert (place / "etc").stat().st_mode & 0o777 == 0o750
    assert not (place / "old").exists()
    assert not role.write(**wanted(place)).changed

    changed = role.write("--diff", **wanted(place, "two\n"))
    assert "-one\n+two\n" in changed.text
    assert role.write(**wanted(place, "two\n", "0600")).changed
    assert (place / "etc/a.conf").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (place / "etc").iterdir()) == ["a.conf"]


def test_a_directory_goes_when_nothing_is_left_in_it(role):
    place = role.place
    for name in ("ours", "shared"):
        (place / name).mkdir()
        (place / name / "a.conf").write_text("x")
    (place / "shared/theirs.conf").write_text("x")
    gone = {
        "absent": [str(place / "ours/a.conf"), str(place / "shared/a.conf")],
        "absent_when_empty": [str(place / name) for name in ("ours", "shared", "never")],
    }
    assert role.write("--check", **gone).changed
    assert sorted(path.name for path in place.rglob("*.conf")) == ["a.conf", "a.conf", "theirs.conf"]
    assert role.write(**gone).changed
    assert [str(path.relative_to(place)) for path in sorted(place.rglob("*"))] == ["shared", "shared/theirs.conf"]
    assert not role.write(**gone).changed


def test_a_directory_above_a_file_can_be_read_by_all_whatever_the_umask_is(role):
    before = os.umask(0o027)
    try:
        said = role.write(files=[file(role.place / "a/b/c.conf", content="one\n")])
    finally:
        os.umask(before)
    assert not said.failed, said.text
    assert [path.stat().st_mode & 0o777 for path in (role.place / "a", role.place / "a/b")] == [0o755, 0o755]


def test_contents_are_neither_in_the_journal_nor_in_what_ansible_says(role):
    role.add("templates/public.j2", "public text\n")
    role.add("templates/secret.j2", "hunter2\n")
    files = [file(role.place / "public", src="public.j2"), file(role.place / "secret", src="secret.j2", secret=True)]
    said = role.write("-vvv", files=files)
    assert not said.failed, said.text
    assert (role.place / "secret").read_text() == "hunter2\n"
    (invoked,) = (line for line in role.journal().splitlines() if "Invoked with" in line)
    assert str(role.place / "public") in invoked
    # Encoded: cHVibGljIHRleHQK and aHVudGVyMgo=
    for text in ("public text", "hunter2", "cHVibGlj", "aHVudGVy"):
        assert text not in role.journal()
        assert text not in said.text
    (role.place / "public").write_text("other\n")
    (role.place / "secret").write_text("hunter1\n")
    shown = role.write("--diff", "-vvv", files=files)
    assert "-other\n+public text\n" in shown.text
    assert "+(the content is secret)\n" in shown.text
    assert "hunter" not in shown.text


def test_secrets_in_the_arguments_are_neither_in_the_journal_nor_in_what_ansible_says(role):
    def write(path, *flags):
        files = [file(path, content="{{ password }}\n", secret=True)]
        said = role.write("-vvv", "--diff", *flags, variables={"password": "hunter2"}, files=files)
        assert "hunter2" not in said.text
        assert "aHVudGVy" not in said.text
        return said

    for flags in (["--check"], []):
        said = write(role.place / "secret", *flags)
        assert said.changed
        assert "+(the content is secret)" in said.text
    assert (role.place / "secret").read_text() == "hunter2\n"
    assert write(role.place / "secret/below").failed
    assert "hunter2" not in role.journal()
    assert "aHVudGVy" not in role.journal()


def test_an_invalid_file_is_not_put_in_place(role):
    path = role.place / "a.conf"
    path.write_text("good\n")
    refused = role.write(files=[file(path, content="bad\n", validate="grep -q good %s")])
    assert refused.failed
    assert "was not changed" in refused.text
    assert path.read_text() == "good\n"
    assert [each.name for each in role.place.iterdir()] == ["a.conf"]
    assert role.write(files=[file(path, content="also good\n", validate="grep -q good %s")]).changed
    assert path.read_text() == "also good\n"


REFUSED = {
    "no-such-user": {"files": [{"path": "{{ place }}/a", "content": "", "mode": "0644", "owner": "no-such-user"}]},
    "mode 420 is not a text of four octal digits": {"files": [{"path": "{{ place }}/a", "content": "", "mode": 420}]},
    "mutually exclusive": {"files": [{"path": "{{ place }}/a", "content": "", "src": "a.j2", "mode": "0644"}]},
    "Unsupported parameters": {"files": [{"path": "{{ place }}/a", "contents": "", "mode": "0644"}]},
    "Is a directory": {"absent": ["{{ place }}"]},
}


def test_what_cannot_be_done_is_refused(role):
    tasks = [{"name": "Write", "flightdeck.airflow.config_files": arguments} for arguments in REFUSED.values()]
    rescued = [{"block": [task], "rescue": [{"ansible.builtin.debug": {"msg": "refused"}}]} for task in tasks]
    said = role.run(*rescued)
    assert [message for message in REFUSED if message not in said.text] == []
    assert f"rescued={len(REFUSED)}" in said.text
    assert list(role.place.iterdir()) == []
