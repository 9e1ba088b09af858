"""A real engine on a home of its own: ``ROAM`` names the program, else the workspace's."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROAM = os.environ.get("ROAM") or str(Path(__file__).parents[3] / "target" / "debug" / "roam")


class Engine:
    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="roam-client-"))
        self.home = self.root / "roam"
        self.home.mkdir()
        # Its Syncthing stays on this machine and looks for nobody.
        network = '[network]\nlocal_discovery = false\nlisten = ["tcp://127.0.0.1:0"]\n'
        (self.home / "config.toml").write_text(network)
        self._child: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._child = subprocess.Popen([ROAM, "run"], env=self._env(), stdin=quiet, stdout=quiet, stderr=quiet)
        for _ in range(1200):
            if json.loads(self.roam("status", "--json"))["engine"] != "stopped":
                return
            time.sleep(0.05)
        raise RuntimeError("the engine did not start")

    def kill(self) -> None:
        """Ends the engine without a warning."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def end(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def roam(self, *words: str) -> str:
        return subprocess.run(
            [ROAM, *words], env=self._env(), check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
        ).stdout

    def _env(self) -> "dict[str, str]":
        own = {"HOME": str(self.root), "TMPDIR": str(self.root), "SESSION_ROAM_HOME": str(self.home)}
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **own}
