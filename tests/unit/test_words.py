"""The words of the project are the field's: private ones that went must not come back. Docs have the form that all share.

Terms are in docs/glossary.md. To cover more of the repository, add patterns to FILES and remove pages from LATER.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "roles/*/README.md", "changelogs/fragments/*.yml")
# Pages that other changes rewrite, or that are generated from files which are not covered yet.
LATER = {
    "docs/architecture.md",
    "docs/performance.md",
    "docs/variables.md",
}
COLUMNS = 100

# A pattern for a private word, and the terms that take its place. A space in a pattern is any white space. Case does not matter.
WORDS = {
    # Singleton mode.
    r"(?:take|takes|taking|took|taken) (?:no )?turns": "singleton mode",
    r"(?:whose|its|their|the|a|any|no|next|last|first|earlier|later|host's) turns?": "leader lease, epoch",
    r"out of turn": "after a later epoch",
    r"how-manyeth": "epoch",
    # People and things without a name.
    r"nobody(?:'s)?(?![:/])": "no host, no user, no service",
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


def covered(suffix: str = "") -> list[Path]:
    """Files that the tests of this page read, only those that end with ``suffix``."""
    found = {path for pattern in FILES for path in ROOT.glob(pattern) if path.name.endswith(suffix)}
    return sorted(path for path in found if path.relative_to(ROOT).as_posix() not in LATER)


def blank(match: re.Match[str]) -> str:
    """As many lines as ``match``, without text, so that numbers of lines stay."""
    return "\n" * match.group().count("\n")


def prose(text: str, markdown: bool) -> str:
    """``text`` without code, targets of links, measured results and margins."""
    if markdown:
        for pattern in (RESULTS, FENCE, CODE, TARGET):
            text = pattern.sub(blank, text)
    return MARGIN.sub("", text)


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


@pytest.mark.parametrize("path", covered(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_private_word_comes_back(path):
    text = prose(path.read_text(encoding="utf-8"), path.suffix == ".md")
    assert [f"line {line}: {word!r}, write: {terms}" for line, word, terms in private_words(text)] == []


@pytest.mark.parametrize("path", covered(".md"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_has_the_common_form(path):
    text = path.read_text(encoding="utf-8")
    without_language = [match.group() for match in FENCE.finditer(text) if not match.group(1)]
    assert (list(long_lines(text)), without_language) == ([], [])


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


def test_the_pages_for_later_exist():
    assert [page for page in sorted(LATER) if not (ROOT / page).is_file()] == []
