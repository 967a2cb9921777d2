"""The words of the project are the field's: private ones that went must not come back. Docs have the form that all
share.

Terms are in docs/glossary.md. In code, names count as well: an underscore separates words. Data of others is not read:
locks, the reference of Airflow's options, measured results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/*.md", "roles/*/README.md", "changelogs/fragments/*.yml")
CODE_DIRECTORIES = ("plugins", "roles", "playbooks", "inventories", "molecule", "tests", "benchmarks", ".config")
CODE_SUFFIXES = {".py", ".yml", ".j2", ".sql", ".sh", ".cfg", ".service"}
COLUMNS = 100

# A pattern for a private word, and the terms that take its place. A space in a pattern is any white space. Case does
# not matter.
WORDS = {
    # Singleton mode.
    r"(?:take|takes|taking|took|taken) (?:no )?turns": "singleton mode",
    r"(?:whose|its|their|the|a|any|no|next|last|first|earlier|later|host's) turns?": "leader lease, epoch",
    r"out of turn": "after a later epoch",
    r"how-manyeth": "epoch",
    # People and things without a name.
    r"(?<![\"=])(?<!script user )nobody(?:'s)?(?![:/\"])": "no host, no user, no service",
    r"somebody(?:'s| else)?|someone else": "external, managed by you, an operator",
    r"anybody|whoever|says? whom": "name the host, user or service",
    r"who (?:leads|acts|stands by|is told)": "the leader, the active scheduler, the standby",
    r"strangers?": "unexpected host, unauthenticated client",
    r"foreign(?! (?:key|data|table))": "external, unmanaged",
    r"the collection's(?: own)?": "managed, or name the part",
    # Security.
    r"(?<!certificate )(?<!URL )authorit(?:y|ies)": "CA, CA certificate",
    r"proves? (?:the (?:host|server|broker)|its (?:name|address)|itself|themselves)": "verify, match, authenticate",
    r"proof of (?:the|that) (?:host|server|broker)": "verification",
    r"(?:everything that|what) is kept": "the stored data",
    # What a program is told.
    r"(?:is|are|was|were|be|being) told": "reported, notified, configured",
    r"wish(?:es|ed)?": "request, requested",
    r"in force": "effective, active",
    r"resting (?:user|account)s?": "inactive user",
    # What is done.
    r"anew": "again, new",
    r"hurt(?:s|ing)?": "inject faults",
    r"mend(?:s|ed|ing)?": "fix, repair, complete",
    r"looks? after|looks (?:at|into)|looked (?:at|after)|a look at": "check, inspect, collect",
    r"without a word": "without an answer, silently",
    r"goes away|(?:broker|metastore|database|server|host|leader)s? (?:is|are|was|were) away": "is unavailable",
    r"bears? (?:a|an|the|it|what)": "tolerates, survives",
    # Parts of the cluster.
    r"stores? (?:is|are) (?:down|lost)|store with (?:several|one) members?": "stateful service, members",
    r"keeps (?:who|which)": "stores, records",
    r"seldom|patience|fate": "rare, timeout, outcome",
}
RESULTS = re.compile(r"<!-- results -->\n.*?<!-- end of results -->", re.DOTALL)
FENCE = re.compile(r"^ *```(\S*)\n.*?^ *```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
TARGET = re.compile(r"\]\([^)\s]*\)|https?://\S+")
# What a line begins with that is not its text: indentation, the mark of a comment or list.
MARGIN = re.compile(r"^[ \t]*(?:(?:#+|--|//|>|[-*]|\d+\.)[ \t]+)?", re.MULTILINE)


def pages() -> list[Path]:
    """Documents and fragments of the changelog."""
    return sorted({path for pattern in PAGES for path in ROOT.glob(pattern)})


def sources() -> list[Path]:
    """Python, YAML, templates and the like, without this file and what deployed clusters have (secrets, keys)."""
    found = (path for directory in CODE_DIRECTORIES for path in (ROOT / directory).rglob("[!.]*"))
    ours = [path for path in found if path.suffix in CODE_SUFFIXES and path.is_file() and path != Path(__file__)]
    ours = [path for path in ours if path.name != "airflow_secrets.yml"]
    return sorted([ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "site.yml", *ours])


def blank(match: re.Match[str]) -> str:
    """As many lines as ``match``, without text, so that numbers of lines stay."""
    return "\n" * match.group().count("\n")


def prose(text: str, markdown: bool) -> str:
    """``text`` without code, targets of links, measured results and margins."""
    if markdown:
        for pattern in (RESULTS, FENCE, CODE, TARGET):
            text = pattern.sub(blank, text)
    return MARGIN.sub("", text)


def names_as_words(text: str) -> str:
    """Code without margins, with a space for each underscore of a name."""
    return MARGIN.sub("", text).replace("_", " ")


def private_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and the terms to use, for each private word in prose."""
    for words, terms in WORDS.items():
        pattern = rf"(?<![\w-])(?:{words})(?![\w-])".replace(" ", r"\s")
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), terms


def long_lines(text: str) -> Iterator[int]:
    """Numbers of lines of Markdown that are too long; rows of tables, code and what contains a URL may be."""
    for number, line in enumerate(FENCE.sub(blank, text).splitlines(), start=1):
        if len(line) > COLUMNS and not line.startswith("|") and "://" not in line:
            yield number


def broken_rows(text: str) -> Iterator[int]:
    """Numbers of lines that end a table, or have another number of cells than its heading: an unmasked ``|`` or a
    break within a row."""
    cells = 0
    for number, line in enumerate(FENCE.sub(blank, text).splitlines(), start=1):
        row = re.sub(r"\\\|", "", line)
        if not line.startswith("|"):
            if cells and line and not line.startswith("<!--"):
                yield number
            cells = 0
        elif cells and row.count("|") != cells:
            yield number
        else:
            cells = row.count("|")


@pytest.mark.parametrize("path", [*pages(), *sources()], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_private_word_comes_back(path):
    text = path.read_text(encoding="utf-8")
    text = prose(text, path.suffix == ".md") if path in pages() else names_as_words(text)
    assert [f"line {line}: {word!r}, write: {terms}" for line, word, terms in private_words(text)] == []


@pytest.mark.parametrize(
    "path", [path for path in pages() if path.suffix == ".md"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_page_has_the_common_form(path):
    text = path.read_text(encoding="utf-8")
    without_language = [match.group() for match in FENCE.finditer(text) if not match.group(1)]
    assert (list(long_lines(text)), list(broken_rows(text)), without_language) == ([], [], [])


@pytest.mark.parametrize(
    "text",
    [
        "Schedulers take turns.",
        "The host whose\nturn it is acts.",
        "Write the file anew.",
        "A broker of somebody else is asked.",
        "signed by an authority that Debian trusts",
        "It looks after the node.",
        "Mend the cause.",
        "the collection's PostgreSQL",
        "The operator is told.",
    ],
)
def test_private_words_are_found(text):
    assert list(private_words(prose(text, markdown=True)))


@pytest.mark.parametrize(
    "text",
    [
        "Turn the firewall off, in turn the other one. Return to start. It turns a single metastore into several.",
        "The release is kept for 30 days; Ansible keeps `who` and `anew` as they are.",
        "A certificate authority signs it. The URL authority is host and port.",
        "A foreign key and a foreign table. Amend the recommendation.",
        "Look at the journal. The collection sets it.",
        "It stores the archive. RabbitMQ's message store grows.",
        "```sh\nsu nobody\n```",
        "See [docs](whose-turn.md#the-turn) and `make turns`, `airflow_authority_file`.",
    ],
)
def test_plain_words_are_allowed(text):
    assert list(private_words(prose(text, markdown=True))) == []


def test_only_text_that_could_be_wrapped_is_too_long():
    word = "word " * 30
    assert list(long_lines(f"# Title\n\n{word}\n")) == [3]
    assert list(long_lines(f"| {word}|\n```sh\n{word}\n```\nhttps://example.org/{'x' * 100}\n")) == []
