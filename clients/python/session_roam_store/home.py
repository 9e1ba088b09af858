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
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with open(descriptor, "w", encoding="ascii") as new:
            new.write(secrets.token_hex(32))
    return file.read_text("ascii").strip()
