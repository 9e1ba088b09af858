"""Keeps an app's sessions in session-roam, with the standard library alone.

``Store`` is the client for any app. ``AgentStore`` is the same in the shape of the Claude Agent SDK's
``SessionStore``. The protocol is in session-roam's docs/api.md.
"""

from .agent import AgentStore
from .connection import RoamError
from .home import home
from .store import Entry, Session, Store

__all__ = ["AgentStore", "Entry", "RoamError", "Session", "Store", "home"]
