import asyncio
import os
import stat
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

from session_roam_store import AgentStore, RoamError, Store
from session_roam_store.home import own_token

from .engine import Engine


class StoreTest(unittest.TestCase):
    engine: Engine
    store: Store
    used = 0

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine()
        cls.addClassCleanup(cls.engine.end)
        cls.engine.start()
        cls.store = Store("python", home=cls.engine.home)
        cls.addClassCleanup(cls.store.close)
        try:
            cls.store.load("p", "s")
            raise AssertionError("it was not refused")
        except RoamError as error:
            assert error.code == "app_not_allowed", error
            assert "roam apps allow python" in str(error)
        cls.engine.roam("apps", "allow", "python")

    def fresh(self) -> "tuple[str, str]":
        """A session that no other test uses."""
        StoreTest.used += 1
        return f"/home/zoë/project {StoreTest.used}", "5f0c2f6e-0000-4000-8000-000000000001"

    def refused(self, code: str, act, *args) -> None:
        with self.assertRaises(RoamError) as caught:
            act(*args)
        self.assertEqual(caught.exception.code, code)

    def test_entries_come_back_as_they_were(self) -> None:
        key = self.fresh()
        entries = [
            {"type": "user", "text": 'a\n"b" \u2028 🦊 \ud800', "deep": {"n": 10**30, "f": 0.1, "none": None}},
            {"type": "x"},
        ]
        self.assertIsNone(self.store.load(*key))
        self.store.append(*key, [])
        self.assertIsNone(self.store.load(*key))
        self.store.append(*key, entries)
        self.store.append(*key, [{"type": "y"}])
        self.assertEqual(self.store.load(*key), [*entries, {"type": "y"}])

    def test_an_entry_with_a_known_uuid_is_taken_once(self) -> None:
        key = self.fresh()
        self.store.append(*key, [{"uuid": "1", "n": 1}])
        self.store.append(*key, [{"uuid": "1", "n": 2}, {"type": "title"}, {"type": "title"}])
        self.assertEqual(self.store.load(*key), [{"uuid": "1", "n": 1}, {"type": "title"}, {"type": "title"}])

    def test_a_session_of_many_megabytes_goes_in_pieces(self) -> None:
        key = self.fresh()
        entries = [{"uuid": str(n), "text": "x" * 4000} for n in range(1500)]
        self.store.append(*key, entries)
        self.assertEqual(self.store.load(*key), entries)

    def test_parts_are_apart_and_go_with_their_session(self) -> None:
        key = self.fresh()
        self.store.append(*key, [{"n": 1}], subpath="subagents/a")
        self.assertEqual(self.store.list(key[0]), [])
        self.store.append(*key, [{"n": 2}])
        self.store.append(*key, [{"n": 3}], "subagents/b")
        self.assertEqual(sorted(self.store.subkeys(*key)), ["subagents/a", "subagents/b"])
        self.assertEqual(self.store.load(*key, "subagents/a"), [{"n": 1}])
        [listed] = self.store.list(key[0])
        self.assertEqual(listed.session, key[1])
        self.assertGreater(listed.mtime, 10**12)
        self.store.delete(*key, "subagents/a")
        self.assertEqual(self.store.subkeys(*key), ["subagents/b"])
        self.store.delete(*key)
        self.assertIsNone(self.store.load(*key))
        self.assertEqual((self.store.subkeys(*key), self.store.list(key[0])), ([], []))

    def test_another_app_sees_nothing(self) -> None:
        key = self.fresh()
        self.store.append(*key, [{"n": 1}])
        with Store("python", home=self.engine.home, token="0123456789abcdef" * 4) as impostor:
            self.refused("app_not_allowed", impostor.load, *key)
        with Store("other", home=self.engine.home) as other:
            self.refused("app_not_allowed", other.load, *key)
            self.engine.roam("apps", "allow", "other")
            self.assertIsNone(other.load(*key))
            self.assertEqual(other.list(key[0]), [])

    def test_names_that_could_lead_elsewhere_are_refused(self) -> None:
        for subpath in ["../x", "/etc/passwd", "a//b", ".", "a\\b"]:
            self.refused("bad_name", self.store.append, *self.fresh(), [{}], subpath)
        with self.assertRaises(ValueError):
            Store("../x", home=self.engine.home)

    @unittest.skipIf(os.name == "nt", "its profile directory keeps others out")
    def test_the_token_is_for_this_user_alone(self) -> None:
        file = self.engine.home / "app-tokens" / "python"
        self.assertRegex(file.read_text(), "^[0-9a-f]{64}$")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)

    def test_several_threads_do_not_mix_their_batches(self) -> None:
        key = self.fresh()

        def write(writer: int) -> None:
            with Store("python", home=self.engine.home) as store:
                for batch in range(5):
                    store.append(*key, [{"w": writer, "b": batch, "n": n} for n in range(4)])

        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        there = self.store.load(*key) or []
        self.assertEqual(len(there), 4 * 5 * 4)
        for at in range(0, len(there), 4):
            first = there[at]
            self.assertEqual(there[at : at + 4], [{**first, "n": n} for n in range(4)])

    def test_the_agents_store_is_the_same(self) -> None:
        project, session = self.fresh()

        async def story() -> None:
            store = AgentStore("python", home=self.engine.home)
            key = {"project_key": project, "session_id": session}
            self.assertIsNone(await store.load(key))
            await store.append(key, [{"type": "a"}])
            await store.append({**key, "subpath": "subagents/x"}, [{"type": "b"}])
            self.assertEqual(await store.load(key), [{"type": "a"}])
            self.assertEqual(await store.list_subkeys(key), ["subagents/x"])
            self.assertEqual([row["session_id"] for row in await store.list_sessions(project)], [session])
            await store.delete(key)
            self.assertIsNone(await store.load(key))
            store.close()

        asyncio.run(story())


    def test_an_interrupted_request_leaves_no_answer_for_the_next(self) -> None:
        one, other = self.fresh(), self.fresh()
        self.store.append(*one, [{"n": 1}])
        self.store.append(*other, [{"n": 2}])
        connection = self.store._connection
        stream = connection._stream
        assert stream is not None

        class Interrupted:
            """Ctrl-C while the answer is waited for."""

            def readline(self) -> bytes:
                raise KeyboardInterrupt

            def __getattr__(self, name: str) -> object:
                return getattr(stream, name)

        connection._stream = cast(BinaryIO, Interrupted())
        with self.assertRaises(KeyboardInterrupt):
            self.store.load(*one)
        self.assertEqual(self.store.load(*other), [{"n": 2}])


class Tokens(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = Path(directory.name)

    def test_a_file_that_a_crash_left_empty_gets_a_token(self) -> None:
        file = self.dir / "app-tokens" / "a"
        file.parent.mkdir()
        file.write_text("")
        token = own_token(self.dir, "a")
        self.assertRegex(token, r"^[0-9a-f]{64}$")
        self.assertEqual((own_token(self.dir, "a"), file.read_text()), (token, token))
        self.assertEqual([one.name for one in file.parent.iterdir()], ["a"])

    def test_all_threads_of_a_first_start_have_one_token(self) -> None:
        with ThreadPoolExecutor(16) as pool:
            for n in range(20):
                self.assertEqual(len(set(pool.map(own_token, [self.dir] * 16, [f"a{n}"] * 16))), 1)


class WithoutAnEngine(unittest.TestCase):
    def test_nobody_there_is_said(self) -> None:
        engine = Engine()
        self.addCleanup(engine.end)
        with Store("python", home=engine.home) as store, self.assertRaises(RoamError) as caught:
            store.load("p", "s")
        self.assertEqual(caught.exception.code, "engine_not_running")


if __name__ == "__main__":
    unittest.main()
