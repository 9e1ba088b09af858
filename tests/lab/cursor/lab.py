#!/usr/bin/env python3
"""Chats of Cursor's command line between the storage code of Cursor's own SDK and tools/cursor_agent/agent_store.

    cargo xtask test --lab cursor
    python3 tests/lab/cursor/lab.py PROGRAM CACHE [GOLDEN.sql]      PROGRAM: the example cursor-store

Installs the Python package `cursor-sdk`, which brings Cursor's JavaScript SDK and Node, into CACHE. The package is
proprietary: nothing of it is kept in this repository, and it runs without a network and with an empty home directory.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import venv

PACKAGE = "cursor-sdk==1.1.0"
HERE = pathlib.Path(__file__).resolve().parent
ID = "7d4e9a10-5c3b-4f2a-9e61-0b8c7d6e5f40"
FORK = "7d4e9a10-5c3b-4f2a-9e61-ffffffffffff"


def installed(cache):
    """The directory of the package's bridge: Node, and the SDK."""
    done = cache / f"done {PACKAGE}"
    if not done.exists():
        shutil.rmtree(cache, ignore_errors=True)
        venv.create(cache / "venv", with_pip=True)
        pip = cache / "venv" / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "--no-input", PACKAGE], check=True)
        done.touch()
    return next((cache / "venv").glob("lib/python*/site-packages/cursor_sdk/_vendor/bridge"))


class Theirs:
    def __init__(self, bridge, home):
        self.node = bridge / "bin" / "node"
        self.dist = bridge / "node_modules" / "@cursor" / "sdk" / "dist"
        self.home = home
        up = 'ip link set lo up && exec "$@"'
        alone = ["unshare", "--net", "--map-root-user", "sh", "-c", up, "sh"]
        works = shutil.which("unshare") and not subprocess.run([*alone, "true"], capture_output=True).returncode
        self.before = alone if works else []

    def __call__(self, act, store):
        return self.run(self.home, "theirs.cjs", act, store)

    def turn(self, home, cwd, agent, prompt):
        """A turn of the SDK's agent, with a made-up server on the loopback interface of its own network."""
        return self.run(home, "turn.cjs", cwd, agent, prompt)

    def run(self, home, script, *words):
        words = [*self.before, self.node, HERE / script, self.dist, *words]
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(words, env=env, cwd=home, capture_output=True, text=True, timeout=120)
        if ran.returncode:
            sys.exit(f"{script} {words[len(self.before) + 3:]} failed:\n{ran.stderr}")
        return json.loads(ran.stdout)


def ours(program, *words, document=None):
    ran = subprocess.run([program, *words], input=document, capture_output=True)
    if ran.returncode:
        sys.exit(f"{words} failed:\n{ran.stderr.decode()}")
    return ran.stdout


def same(what, one, other):
    if one != other:
        sys.exit(f"DIFFERENT: {what}\n  {str(one)[:2000]}\n  {str(other)[:2000]}")
    print(f"ok  {what}")


def text(rows):
    """The blobs in one of our documents, as hexadecimal digits by id."""
    import base64

    def of(row):
        data = row["text"].encode() if "text" in row else base64.b64decode(row["base64"])
        return data.hex()

    return {row["id"]: of(row) for row in rows}


def schema(store):
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    tables = sorted(database.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=str)
    made = (tables, *(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "journal_mode", "encoding")))
    database.close()
    return made


def main():
    program, cache = sys.argv[1], pathlib.Path(sys.argv[2]).absolute()
    bridge = installed(cache)
    with tempfile.TemporaryDirectory(prefix="roam-lab-") as place:
        run(program, bridge, pathlib.Path(place).resolve())


def run(program, bridge, place):
    home = place / "home"
    home.mkdir()
    theirs = Theirs(bridge, home)
    print(f"{PACKAGE}, {'no network' if theirs.before else 'WITH a network: unshare does not work here'}")
    desk, laptop = place / "desk chats", place / "laptop chats"
    cwds = {}
    for name in ("desk", "laptop"):
        cwds[name] = place / f"code of {name}" / "api ä"
        cwds[name].mkdir(parents=True)
    bucket = hashlib.md5(str(cwds["desk"]).encode()).hexdigest()
    store = desk / bucket / ID / "store.db"

    # Theirs, read by ours.
    made = theirs("make", store)
    document = ours(program, "read", desk, ID)
    parsed = json.loads(document)
    same("a store of Cursor's code has the same blobs in our document", text(parsed["blobs"]), made["blobs"])
    same("and the same end", parsed["meta"]["latestRootBlobId"], made["meta"]["latestRootBlobId"])
    same("and no key", made["meta"]["blobEncryptionKey"] in document.decode(), False)
    same("and is as it was for Cursor's code", theirs("show", store), made)
    same("Cursor's code changed nothing that we carry", ours(program, "read", desk, ID), document)
    said = ours(program, "records", desk, ID).decode().splitlines()
    same("the conversation reads as it was said", [line.split(":")[0] for line in said if not line.startswith(("Workspace", "</"))],
         ["System", "System", "User", "Assistant", "[Read] /work/api/notes.md", "Tool", "Assistant"])

    # Ours, opened by theirs.
    there = pathlib.Path(ours(program, "write", laptop, ID, cwds["laptop"], document=document).decode().strip())
    same("a new chat lies where Cursor looks", there, laptop / hashlib.md5(str(cwds["laptop"]).encode()).hexdigest() / ID / "store.db")
    same("with Cursor's tables and settings", schema(there), schema(store))
    shown = theirs("show", there)
    same("Cursor's code finds the same blobs in our store", shown["blobs"], made["blobs"])
    same("and the same conversation", shown["conversation"], made["conversation"])
    carried = ("agentId", "name", "createdAt", "latestRootBlobId")
    same("and the same record", {name: shown["meta"][name] for name in carried}, {name: made["meta"][name] for name in carried})
    same("but none of the other device's approvals", (shown["meta"]["mode"], shown["meta"]["isRunEverything"], shown["meta"].get("approvalMode"), shown["meta"].get("lastUsedModel")), ("default", False, None, None))
    same("and a key of its own", shown["meta"]["blobEncryptionKey"] != made["meta"]["blobEncryptionKey"], True)

    # Their code goes on in our store, and it comes back.
    longer = theirs("go-on", there)
    same("Cursor's code goes on in our store", len(longer["conversation"]["turns"]), 2)
    key, approvals = theirs("show", store)["meta"]["blobEncryptionKey"], made["meta"]["approvalMode"]
    document = ours(program, "read", laptop, ID)
    rows, before = json.loads(document)["blobs"], parsed["blobs"]
    # Cursor's code set the last root again, which gave its row a new place.
    same("the chat grew at its end", rows[: len(before) - 1], before[:-1])
    same("and lost nothing", [row for row in before if row not in rows], [])
    same("and goes into the store of its author", ours(program, "write", desk, ID, cwds["desk"], document=document).decode().strip(), str(store))
    same("in the same order", json.loads(ours(program, "read", desk, ID))["blobs"], rows)
    back = theirs("show", store)
    same("where Cursor's code finds every blob", back["blobs"], longer["blobs"])
    same("and the longer conversation", back["conversation"], longer["conversation"])
    same("with its own key and approvals", (back["meta"]["blobEncryptionKey"], back["meta"]["approvalMode"]), (key, approvals))

    # A fork is a chat of its own.
    forked = document.replace(ID.encode(), FORK.encode())
    fork = pathlib.Path(ours(program, "write", laptop, FORK, cwds["laptop"], document=forked).decode().strip())
    opened = theirs("show", fork)
    same("a fork has the same conversation under another id", (opened["meta"]["agentId"], opened["conversation"]), (FORK, longer["conversation"]))
    same("Cursor's code left nothing in its home directory", list(home.iterdir()), [])
    whole_turns(program, theirs, place)

    if len(sys.argv) == 4:
        golden(pathlib.Path(sys.argv[3]), theirs, place / "golden" / ID / "store.db")


def whole_turns(program, theirs, place):
    """Turns of the SDK's own agent: the second one runs on a store that we wrote."""
    if not theirs.before:
        return print("LEFT OUT  turns of the SDK's agent: without a network of its own, it might reach the real servers")
    home, cwd = place / "agent home", place / "code of the agent"
    home.mkdir()
    cwd.mkdir()
    first = theirs.turn(home, cwd, "new", "Where are the notes?")
    same("the SDK's agent runs a turn", (first["status"], first["result"], first["wrong"]), ("finished", "Answer 1.", []))
    (store,) = home.glob(".cursor/projects/*/sdk-agent-store/*/agents/*/store.db")
    desk, laptop = place / "desk turns", place / "laptop turns"
    bucket = desk / hashlib.md5(str(cwd).encode()).hexdigest() / ID
    bucket.mkdir(parents=True)
    as_chat(store, bucket)
    document = ours(program, "read", desk, ID)
    written = ours(program, "write", laptop, ID, cwd, document=document).decode().strip()

    def put(database):
        for file in store.parent.iterdir():
            file.unlink()
        shutil.copy(database, store)

    put(written)
    second = theirs.turn(home, cwd, first["agentId"], "And the others?")
    same("and goes on in a store that we wrote", (second["status"], second["turns"], second["result"]), ("finished", 1, "Answer 2."))
    same("in which its server finds every blob", (second["asked"], second["wrong"]), (5, []))
    as_chat(store, bucket)
    said = ours(program, "records", desk, ID).decode().splitlines()
    same("and we read both turns", said, ["User: Where are the notes?", "Assistant: Answer 1.", "User: And the others?", "Assistant: Answer 2."])

    # The lab can fail: one message less, and the agent's server misses it.
    message = next(row["id"] for row in json.loads(document)["blobs"] if "text" in row)
    broken = sqlite3.connect(bucket / "store.db")
    broken.execute("DELETE FROM blobs WHERE id = ?", (message,))
    broken.commit()
    broken.close()
    put(bucket / "store.db")
    third = theirs.turn(home, cwd, first["agentId"], "And now?")
    same("a blob that is missing is noticed", message in third["wrong"], True)


def as_chat(store, bucket):
    """The agent's store as one of the command line, which keeps the end of the conversation in the store itself."""
    for file in store.parent.iterdir():
        shutil.copy(file, bucket)
    index = sqlite3.connect(f"file:{store.parents[2] / 'index.db'}?mode=ro", uri=True)
    (end,) = index.execute("SELECT latest_checkpoint_ref_json FROM agents").fetchone()
    index.close()
    chat = sqlite3.connect(bucket / "store.db")
    (record,) = chat.execute("SELECT value FROM meta WHERE key = '0'").fetchone()
    record = json.loads(bytes.fromhex(record)) | {"latestRootBlobId": json.loads(end)["blobId"]}
    chat.execute("UPDATE meta SET value = ?", (json.dumps(record).encode().hex(),))
    chat.commit()
    chat.close()


def golden(file, theirs, store):
    """Keeps a store that Cursor's code made as the SQL that makes it, for tests without that code."""
    theirs("make", store)
    theirs("go-on", store)
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    lines = [line for line in database.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;")]
    database.close()
    file.write_text("\n".join(["PRAGMA user_version = 1;", *lines]) + "\n")


if __name__ == "__main__":
    main()
