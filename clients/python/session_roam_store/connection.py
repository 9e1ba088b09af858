"""One connection to the engine: a line of JSON for each request, and a line for each answer."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast


class RoamError(Exception):
    """A request that failed. ``code`` is stable; ``hint`` says what to do next."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.hint = hint


class Connection:
    """Connects at the first request, and anew after an error. May be used by several threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._stream: BinaryIO | None = None

    def ask(self, request: dict[str, Any]) -> Any:
        line = json.dumps(request, ensure_ascii=False).encode("utf-8") + b"\n"
        with self._lock:
            try:
                if self._stream is None:
                    self._stream = _open(self._home)
                self._stream.write(line)
                self._stream.flush()
                answer = self._stream.readline()
            except OSError as error:
                self._close()
                raise _not_running(error) from error
            except BaseException:
                self._close()  # An answer on its way would be taken for that of the next request.
                raise
            if not answer.endswith(b"\n"):
                self._close()
                raise RoamError("engine_gone", "The engine ended before it answered.")
        return _result(answer)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # What was not sent is reported by the request that sent it.


def _result(line: bytes) -> Any:
    try:
        answer = json.loads(line)
    except ValueError:
        raise RoamError("bad_answer", "The engine answered with something else than JSON.") from None
    if "err" in answer:
        error = answer["err"]
        raise RoamError(error["code"], error["message"], error.get("hint", ""))
    return answer["ok"]


def _open(home: Path) -> BinaryIO:
    entry = home / "roam.sock"
    if sys.platform == "win32":
        # The file has the path of the engine's pipe, which is opened like a file.
        pipe = open(entry.read_text("utf-8").strip(), "r+b", buffering=0)
        return cast(BinaryIO, _Pipe(pipe))
    # A path that is too long for a socket is a link to a short one.
    address = os.readlink(entry) if entry.is_symlink() else str(entry)
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(address)
        return cast(BinaryIO, connected.makefile("rwb"))
    finally:
        connected.close()  # The stream keeps the connection.


class _Pipe:
    """A pipe with whole lines: a raw file may read and write less than it was asked to."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._rest = b""

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) :]

    def flush(self) -> None:
        self._raw.flush()

    def readline(self) -> bytes:
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            piece = self._raw.read(1 << 16)
            if not piece:
                break
            pieces.append(piece)
        line, end, self._rest = b"".join(pieces).partition(b"\n")
        return line + end

    def close(self) -> None:
        self._raw.close()


def _not_running(error: OSError) -> RoamError:
    hint = "Start it with `roam run`, or open the tray app."
    return RoamError("engine_not_running", f"session-roam does not answer: {error}.", hint)
