"""Write what the contracts look like from outside: `python -m contracts.generate [--check]`.

schemas/events, commands, public    JSON Schema of every body
schemas/openapi                     OpenAPI of every service, from the services themselves
asyncapi.yaml                       topics, keys, headers, messages
docs/rules.md                       which test holds which rule, from the tests themselves

`--check` writes nothing and fails if a file is not what it should be. `--release` freezes the
schemas as the ones that may only grow from now on; it refuses if they have done anything else.
Contracts know no service and no test: those answer as programs of their own.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pydantic import BaseModel

from contracts import asyncapi, clearing, commands, events, lists, public
from contracts.growth import Reader, breaks
from contracts.growth_of_apis import async_breaks, open_breaks
from contracts.vocabulary import Wire

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = SCHEMAS / "released.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

OTHERS = ("tests.contract.openapi", "tests.tidy.rules")
"""Files that others know how to write: each program prints path → text as JSON."""

Files = Mapping[str, str]
"""Path from the repository's root → text."""


def models() -> dict[str, tuple[type[BaseModel], Reader]]:
    """Every body by the path of its schema below schemas/, and who reads it."""
    found: dict[str, tuple[type[BaseModel], Reader]] = {
        f"events/{told.TYPE}": (told, Reader.BOTH) for told in events.ALL
    }
    folders = (
        *(("commands", commands), ("public", public)),
        *(("public", lists), ("public", clearing)),
    )
    for folder, module in folders:
        for model in models_of(module):
            reader = Reader.OURS if issubclass(model, Wire) else Reader.THEIRS
            found[f"{folder}/{snake(model.__name__)}"] = (model, reader)
    return found


def models_of(module: ModuleType) -> list[type[BaseModel]]:
    return [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, BaseModel)
        and each.__module__ == module.__name__
    ]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas by their path below schemas/."""
    return {
        path: {"$schema": DIALECT, **model.model_json_schema(by_alias=True)}
        for path, (model, _) in models().items()
    }


def own_files() -> Files:
    files = {
        f"libs/contracts/schemas/{path}.json": as_json(told) for path, told in schemas().items()
    }
    files["libs/contracts/asyncapi.yaml"] = yaml.dump(
        asyncapi.document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )
    return files


class _Plain(yaml.SafeDumper):
    """No anchors: a reader should not have to look elsewhere in the file."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def others_files() -> Files:
    files: dict[str, str] = {}
    for program in OTHERS:
        done = subprocess.run(
            [sys.executable, "-m", program], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{program} failed:\n{done.stderr[-3000:]}")
        files |= json.loads(done.stdout)
    return files


def as_json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def unlike(files: Files) -> list[str]:
    """Paths whose file is missing, different, or there without being generated."""
    wrong = [path for path, text in files.items() if _text(ROOT / path) != text]
    stray = [
        path
        for file in SCHEMAS.rglob("*.json")
        if file != RELEASED and (path := file.relative_to(ROOT).as_posix()) not in files
    ]
    return sorted([*wrong, *stray])


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write(files: Files) -> None:
    for path in unlike(files):
        if path not in files:
            (ROOT / path).unlink()
            continue
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(files[path], encoding="utf-8")


def published(files: Files) -> dict[str, Any]:
    """All documents that others rely on, by their path."""
    prefix = "libs/contracts/"
    documents = {
        path.removeprefix(prefix): json.loads(text)
        for path, text in files.items()
        if path.startswith(prefix) and path.endswith(".json")
    }
    return {**documents, "asyncapi.yaml": yaml.safe_load(files[f"{prefix}asyncapi.yaml"])}


def released() -> dict[str, Any]:
    """The same as it was released; nothing before the first release."""
    if not RELEASED.exists():
        return {}
    found: dict[str, Any] = json.loads(RELEASED.read_text(encoding="utf-8"))
    return found


def broken(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of `new` would break those who rely on `old`."""
    readers = {f"schemas/{path}.json": reader for path, (_, reader) in models().items()}
    found = [f"{path}: is gone" for path in sorted(old.keys() - new.keys())]
    for path in sorted(old.keys() & new.keys()):
        if path == "asyncapi.yaml":
            found += async_breaks(old[path], new[path])
        elif path.startswith("schemas/openapi/"):
            found += [f"{path} {each}" for each in open_breaks(old[path], new[path])]
        else:
            reader = readers.get(path, Reader.BOTH)
            found += [f"{path} {each}" for each in breaks(old[path], new[path], reader)]
    return found


def release(files: Files) -> None:
    current = published(files)
    wrong = broken(released(), current)
    if wrong:
        raise SystemExit("these may only grow:\n  " + "\n  ".join(wrong))
    lines = (f"{json.dumps(path)}: {json.dumps(current[path])}" for path in sorted(current))
    RELEASED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    files = {**own_files(), **others_files()}
    if "--check" in sys.argv:
        wrong = unlike(files)
        if wrong:
            raise SystemExit("run `make contracts`; not as generated:\n  " + "\n  ".join(wrong))
        return
    write(files)
    if "--release" in sys.argv:
        release(files)


if __name__ == "__main__":
    main()
