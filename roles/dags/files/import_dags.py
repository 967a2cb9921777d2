"""Import every DAG file below a directory as a DAG processor does, and print what came of it.

Runs with the release's Python. Each file has a process of its own: what it does to modules, or to its process, stays
there. Prints one JSON document: import errors by file, DAGs with their file and a digest of what they are, all DAG
files, where DAG processors write a log for each file, and the name of their bundle.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The answer alone goes to standard output: not what Airflow logs while it is imported, nor what DAG files print.
ANSWER = os.dup(1)
os.dup2(2, 1)

# What the DAG files import at their top as Airflow's DAG processors do, with the login of the metastore.
os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"

from airflow import __version__
from airflow.configuration import conf
from airflow.utils.file import iter_airflow_imports, list_py_file_paths

LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
THREE = int(__version__.partition(".")[0]) >= 3


def bundle_name(root: str) -> str:
    """The name of the bundle of the directory ``root``."""
    # Those of other classes have no path, or another meaning of it.
    bundles = [each for each in conf.getjson("dag_processor", "dag_bundle_config_list") if each["classpath"] == LOCAL]
    found = [str(each["name"]) for each in bundles if (each["kwargs"].get("path") or root).rstrip("/") == root]
    return found[0] if found else "dags-folder"


def import_file(path: str, root: str) -> dict[str, Any]:
    """Errors by file, and the DAGs of one DAG file."""
    if THREE:
        from airflow.dag_processing.dagbag import BundleDagBag
        from airflow.serialization.serialized_objects import DagSerialization as Serialized

        bag = BundleDagBag(path, bundle_path=Path(root), bundle_name=bundle_name(root), load_op_links=False)
    else:
        from airflow.models.dagbag import DagBag
        from airflow.serialization.serialized_objects import SerializedDAG as Serialized

        bag = DagBag(path, include_examples=False, load_op_links=False)
    relative = os.path.relpath(path, root)
    content = Path(path).read_bytes()
    errors = {os.path.relpath(os.path.join(root, file), root): str(text) for file, text in bag.import_errors.items()}
    dags = {}
    for name, dag in bag.dags.items():
        try:
            text = json.dumps(Serialized.to_dict(dag), sort_keys=True, default=str)
        except Exception as error:
            errors[relative] = f"{name}: {error}"
            continue
        dags[name] = [relative, hashlib.sha256(content + text.encode()).hexdigest()]
    return {"errors": errors, "dags": dags}


def _child(path: str, root: str, answer: int) -> None:
    """Import one file, write what came of it, and end."""
    try:
        text = json.dumps(import_file(path, root))
    except BaseException as error:
        text = json.dumps({"errors": {os.path.relpath(path, root): f"{type(error).__name__}: {error}"}, "dags": {}})
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        stream.write(text)
    os._exit(0)


def _begin(path: str, root: str) -> tuple[int, int]:
    """The process that imports a file, and where its answer comes."""
    reads, writes = os.pipe()
    if not (process := os.fork()):
        os.close(reads)
        _child(path, root, writes)
    os.close(writes)
    return process, reads


def _end(path: str, root: str, process: int, reads: int) -> dict[str, Any]:
    with os.fdopen(reads, encoding="utf-8") as stream:
        text = stream.read()
    _process, status = os.waitpid(process, 0)
    if not text:
        code = os.waitstatus_to_exitcode(status)
        return {"errors": {os.path.relpath(path, root): f"its process ended with {code}"}, "dags": {}}
    return dict(json.loads(text))


def import_all(paths: list[str], root: str, at_once: int) -> Iterator[dict[str, Any]]:
    """What came of every file, with so many processes ``at_once``."""
    waiting = list(reversed(paths))
    running: list[tuple[str, int, int]] = []
    while waiting or running:
        while waiting and len(running) < at_once:
            path = waiting.pop()
            running.append((path, *_begin(path, root)))
        path, process, reads = running.pop(0)
        yield _end(path, root, process, reads)


def prepare(paths: list[str]) -> None:
    """Do once what each process would begin with: import what the files import of Airflow, and all that an import and a
    serialization need."""
    for module in sorted({module for path in paths if path.endswith(".py") for module in iter_airflow_imports(path)}):
        # What cannot be imported fails again in the process of its file.
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    text = "from {0} import dag, task\n@task\ndef y():\n    pass\n@dag(schedule=None)\ndef x():\n    y()\nx()\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "airflow_dag.py"
        path.write_text(text.format("airflow.sdk" if THREE else "airflow.decorators"), encoding="utf-8")
        import_file(str(path), folder)
    gc.freeze()


def main(root: str) -> None:
    """Import what is below ``root``."""
    paths = sorted(list_py_file_paths(root))
    prepare(paths)
    errors: dict[str, str] = {}
    dags: dict[str, list[str]] = {}
    for found in import_all(paths, root, max(1, (os.cpu_count() or 1) // 2)):
        errors |= found["errors"]
        dags |= found["dags"]
    section, option = ("logging", "dag_processor_child_process_log_directory")
    if not THREE:
        section, option = ("scheduler", "child_process_log_directory")
    result = {
        "errors": errors,
        "dags": dags,
        "files": [os.path.relpath(path, root) for path in paths],
        "logs": conf.get(section, option),
        "bundle": bundle_name(root) if THREE else "",
    }
    with os.fdopen(ANSWER, "w", encoding="utf-8") as stream:
        json.dump(result, stream)


if __name__ == "__main__":
    main(sys.argv[1])
