"""Write the reference of the cluster model, docs/model.md, from its dataclasses.

`make docs` runs it, a unit test compares.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "plugins/plugin_utils/_model/contract.py"
TARGET = ROOT / "docs/model.md"
HEAD = """# Cluster model

Made from `plugins/plugin_utils/_model/contract.py` by `make docs`.

The playbooks compute the model once and set it as `airflow_cluster`, the same for all hosts; a
host's own share is `airflow_cluster.nodes[inventory_hostname]`. A key that is *optional* is there
only where it has a value. Secrets are not in it: a key `secret` names one in `airflow_secrets`.
"""
SIMPLE = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "any value"}
WIDTH = 100


@dataclass(frozen=True)
class Field:
    """A field of a class: its annotation and the text below it."""

    name: str
    annotation: ast.expr
    text: str
    optional: bool


@dataclass(frozen=True)
class Share:
    """A class of the model."""

    text: str
    fields: list[Field]


def shares(tree: ast.Module) -> dict[str, Share]:
    """The classes of the contract by name, in the order of the source. Raises ValueError for a field without a text."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = Share(ast.get_docstring(node) or "", list(fields(node)))
    return found


def fields(node: ast.ClassDef) -> Iterator[Field]:
    """The fields of a class. Raises ValueError for one without a text."""
    for statement, below in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
            raise ValueError(f"{node.name}.{name} has no text")
        annotation = statement.annotation
        optional = False
        if isinstance(annotation, ast.BinOp) and ast.unparse(annotation.right) == "None":
            annotation = annotation.left
            # With other metadata, the key is there and empty.
            optional = not isinstance(statement.value, ast.Call)
        yield Field(name, annotation, str(below.value.value), optional)


def aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """The names of types that stand for others, such as SecretFile."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found


class Page:
    """The page, section by section, from the whole to its parts."""

    def __init__(self, tree: ast.Module) -> None:
        self.shares, self.aliases = shares(tree), aliases(tree)
        # Where each class is, in the order in which it is first met.
        self.places: dict[str, str] = {"Cluster": "airflow_cluster"}

    def kind(self, annotation: ast.expr, place: str) -> str:
        """The type of a field at ``place`` in words, with links to the classes in it."""
        name = ast.unparse(annotation)
        if name in self.aliases:
            return self.kind(self.aliases[name], place)
        if name in self.shares:
            self.places.setdefault(name, place)
            return f"[{name}](#{name.lower()})"
        if isinstance(annotation, ast.BinOp):
            return f"{self.kind(annotation.left, place)} or {self.kind(annotation.right, place)}"
        if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple | ast.Constant):
            inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            match ast.unparse(annotation.value):
                case "tuple":
                    return f"list of {self.kind(inner[0], f'{place}[]')}"
                case "Mapping":
                    return f"dictionary of {self.kind(inner[1], f'{place}[<{self.key(place)}>]')}"
                case "Literal":
                    return " or ".join(f"`{ast.literal_eval(choice)}`" for choice in inner)
        return SIMPLE[name]

    @staticmethod
    def key(place: str) -> str:
        """What the keys of a dictionary are."""
        return {"nodes": "host", "hosts_of": "group", "names": "host"}.get(place.rpartition(".")[2], "name")

    def sections(self) -> Iterator[str]:
        """The sections, with those of the classes that were met on the way."""
        done: set[str] = set()
        while rest := [name for name in self.places if name not in done]:
            name = rest[0]
            done.add(name)
            yield f"\n## {name}\n\n`{self.places[name]}`\n\n{wrapped(marked(self.shares[name].text))}\n"
            yield "".join(self.row(field, self.places[name]) for field in self.shares[name].fields)

    def row(self, field: Field, place: str) -> str:
        """The line of one key."""
        kind = self.kind(field.annotation, f"{place}.{field.name}") + (", optional" if field.optional else "")
        return wrapped(f"- `{field.name}` ({kind}): {marked(field.text)}", "  ")


def marked(text: str) -> str:
    """``text`` with names of variables, paths and values as code."""
    return re.sub(r"(?<!`)(airflow_\w+|/etc/[\w/]+|\{\})(?!`)", r"`\1`", text.replace("``", "`"))


def wrapped(text: str, indent: str = "") -> str:
    """``text`` in lines that fit; a link or code is not broken."""
    kept = re.sub(r"`[^`]*`|\[[^]]*\]\([^)]*\)", lambda match: match[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.fill(kept, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ") + "\n"


def render() -> str:
    """The whole page."""
    return HEAD + "".join(Page(ast.parse(SOURCE.read_text(encoding="utf-8"))).sections())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
