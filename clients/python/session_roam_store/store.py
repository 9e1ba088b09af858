"""The sessions of an app."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from .connection import Connection, RoamError
from .home import home as found_home
from .home import own_token

Entry = dict[str, Any]
"""A JSON object. Of two with the same ``uuid`` in one session, the first is kept."""

# The text of one request: more entries go in several.
BATCH_CHARACTERS = 2 * 1024 * 1024
BATCH_ENTRIES = 1000
# How often a session that is written anew while it is read is read again.
LOADS = 5


class Session(NamedTuple):
    session: str
    mtime: int
    """Its last change on this device, in milliseconds since 1970."""


class Store:
    """The sessions of the app ``app``, which the user allows with ``roam apps allow APP``.

    ``home`` is session-roam's directory, found as ``roam`` finds it if not given. ``token`` is the app's,
    64 random hexadecimal digits; without it, one is made and kept in that directory.
    """

    def __init__(self, app: str, *, home: str | os.PathLike[str] | None = None, token: str | None = None) -> None:
        directory = found_home() if home is None else Path(home)
        self._app = app
        self._token = own_token(directory, app) if token is None else token
        self._connection = Connection(directory)

    def append(self, project: str, session: str, entries: Iterable[Entry], subpath: str | None = None) -> None:
        """Adds entries. They are on the disk when this returns; until then they may be sent again."""
        for batch in _batches(entries):
            self._ask("app_append", project=project, session=session, subpath=subpath, entries=batch)

    def load(self, project: str, session: str, subpath: str | None = None) -> list[Entry] | None:
        """All entries of a session in their order; ``None`` if it has none."""
        for _ in range(LOADS - 1):
            try:
                return self._load(project, session, subpath)
            except RoamError as error:
                if error.code != "stale_page":
                    raise
        return self._load(project, session, subpath)

    def list(self, project: str) -> list[Session]:
        rows = self._ask("app_list", project=project)
        return [Session(row["session"], row["mtime"]) for row in rows]

    def delete(self, project: str, session: str, subpath: str | None = None) -> None:
        """Deletes a session with its parts, or one part, from this device. Other devices keep what they have."""
        self._ask("app_delete", project=project, session=session, subpath=subpath)

    def subkeys(self, project: str, session: str) -> list[str]:
        """The subpaths of a session that have entries."""
        found: list[str] = self._ask("app_subkeys", project=project, session=session)
        return found

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, project: str, session: str, subpath: str | None) -> list[Entry] | None:
        found: list[Entry] = []
        start: str | None = None
        while True:
            page = self._ask("app_load", project=project, session=session, subpath=subpath, **{"from": start})
            if page["entries"] is None:
                return None
            found.extend(json.loads(text) for text in page["entries"])
            start = page["next"]
            if start is None:
                return found

    def _ask(self, cmd: str, **fields: Any) -> Any:
        return self._connection.ask({"cmd": cmd, "app": self._app, "token": self._token, **fields})


def _batches(entries: Iterable[Entry]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for entry in entries:
        text = _text(entry)
        if batch and (len(batch) == BATCH_ENTRIES or BATCH_CHARACTERS < characters + len(text)):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _text(entry: Entry) -> str:
    # Not-a-number is no JSON.
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # Half of a surrogate pair, which JSON has only in its escaped form.
        return json.dumps(entry, allow_nan=False)
    return text
