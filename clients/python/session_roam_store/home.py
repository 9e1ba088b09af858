"""Where session-roam's directory is, and the token of an app in it."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path


def home() -> Path:
    """session-roam's directory, as ``roam`` finds it."""
    variable = os.environ.get
    if chosen := variable("SESSION_ROAM_HOME"):
        return Path(chosen)
    user = Path.home()
    if sys.platform == "win32":
        local = variable("LOCALAPPDATA")
        return (Path(local) if local else user / "AppData" / "Local") / "session-roam"
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "session-roam"
    data = variable("XDG_DATA_HOME", "")
    return (Path(data) if os.path.isabs(data) else user / ".local" / "share") / "session-roam"


def own_token(directory: Path, app: str) -> str:
    """The token of this app, made at its first start, for this user alone."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", app):
        raise ValueError("An app is named with lower-case letters, digits and dashes.")
    tokens = directory / "app-tokens"
    tokens.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = tokens / app
    return _read_token(file) or _make_token(file)


def _read_token(file: Path) -> str:
    """Empty for a file that is not there, or that a crash left without a token."""
    try:
        return file.read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def _make_token(file: Path) -> str:
    """The file appears with its token in it, so that another process of the app finds all of it or nothing."""
    whole = file.with_name(f"{file.name}.{secrets.token_hex(8)}.new")
    token = secrets.token_hex(32)
    _write_new(whole, token)
    try:
        try:
            os.link(whole, file)
        except OSError as error:
            if made := _read_token(file):
                return made
            if not isinstance(error, FileExistsError):
                _write_new(file, token)  # A file system without links.
                return token
            file.unlink()
            os.link(whole, file)
        return token
    finally:
        whole.unlink(missing_ok=True)


def _write_new(file: Path, token: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as new:
        new.write(token)
