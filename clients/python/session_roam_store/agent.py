"""The store in the shape of the Claude Agent SDK's ``SessionStore``, without needing the SDK."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from .store import Entry, Store


class AgentStore:
    """Pass it as ``session_store``. Each call runs beside the event loop, one after the other."""

    def __init__(self, app: str, *, home: str | os.PathLike[str] | None = None, token: str | None = None) -> None:
        self._store = Store(app, home=home, token=token)
        self._turn = asyncio.Lock()

    async def append(self, key: dict[str, Any], entries: list[Entry]) -> None:
        async with self._turn:
            await asyncio.to_thread(self._store.append, *_session(key), entries, key.get("subpath"))

    async def load(self, key: dict[str, Any]) -> list[Entry] | None:
        async with self._turn:
            return await asyncio.to_thread(self._store.load, *_session(key), key.get("subpath"))

    async def list_sessions(self, project_key: str) -> list[dict[str, Any]]:
        async with self._turn:
            rows = await asyncio.to_thread(self._store.list, project_key)
        return [{"session_id": row.session, "mtime": row.mtime} for row in rows]

    async def delete(self, key: dict[str, Any]) -> None:
        async with self._turn:
            await asyncio.to_thread(self._store.delete, *_session(key), key.get("subpath"))

    async def list_subkeys(self, key: dict[str, Any]) -> list[str]:
        async with self._turn:
            return await asyncio.to_thread(self._store.subkeys, *_session(key))

    def close(self) -> None:
        self._store.close()


def _session(key: dict[str, Any]) -> tuple[str, str]:
    return key["project_key"], key["session_id"]
