"""The world as a program in the sandbox sees it: its clocks, its random numbers, its modules, its standard output.

Zygotes differ here on purpose, so that a program whose answer depends on the time, on random numbers, on its
process id or on where its objects lie gives several answers. None of this is protection: a hostile program can
undo all of it, in its own process, and gains nothing.

Modules are served from memory, because the file system is gone. Those written in Python lie as marshalled
code in one read-only mapping that costs a fork nothing until they are imported; C extensions cannot be
loaded later and are imported beforehand.
"""

import _frozen_importlib as bootstrap
import _frozen_importlib_external as external
import builtins
import itertools
import marshal
import mmap
import os
import re
import sys
import time
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any, NamedTuple, cast

# Cheap enough, or used often enough, to be there before the fork.
EAGER = ("math", "re", "typing", "collections", "itertools", "functools", "operator", "heapq", "bisect")
# C extensions cannot be loaded behind the walls, and each one makes every fork dearer. So there are two worlds:
# the lean one has none of these, and a program that reaches for one is run again in the full one.
EXTENSIONS = (
    "_bisect", "_blake2", "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw",
    "_contextvars", "_csv", "_decimal", "_heapq", "_json", "_lsprof", "_md5", "_multibytecodec", "_opcode", "_pickle",
    "_queue", "_random", "_sha1", "_sha2", "_sha256", "_sha3", "_sha512", "_statistics", "_struct", "array",
    "binascii", "cmath", "math", "unicodedata", "zlib",
)  # fmt: skip
# Written in Python, importable on demand in both worlds; the codecs of `encodings` come with them.
LAZY = (
    "__future__", "_colorize", "_compat_pickle", "_opcode_metadata", "_pydatetime", "_pydecimal",
    "_strptime", "_weakrefset", "abc", "ast", "base64", "calendar", "codecs", "collections.abc", "contextlib",
    "contextvars", "copy", "copyreg", "csv", "dataclasses", "datetime", "decimal", "difflib", "dis", "enum",
    "fractions", "graphlib", "hashlib", "html", "html.entities", "html.parser", "importlib", "importlib._abc",
    "importlib.abc", "importlib.machinery", "importlib.util", "inspect", "io", "json", "json.decoder", "json.encoder",
    "json.scanner", "keyword", "linecache", "locale", "numbers", "opcode", "pickle", "pprint", "queue", "random",
    "reprlib", "sched", "shlex", "statistics", "string", "stringprep", "struct", "textwrap", "threading", "timeit",
    "token", "tokenize", "traceback", "types", "typing", "urllib", "urllib.parse", "warnings", "weakref",
)  # fmt: skip
# What the zygote needs and a program has no business with.
HIDDEN = re.compile(r"^(?:absolute_zero|ctypes|_ctypes|mmap|marshal|resource)(?:\.|$)")


def shift_addresses(seed: int) -> bytes:
    """Return memory that moves everything allocated after it.

    `bytes` of zeros are never touched: a bytearray would be, and every page present is copied by every fork.
    """
    return bytes(seed * 1_703_936)


class Sink:
    """Standard output and error of a program: counted, never kept."""

    def __init__(self) -> None:
        self.left = 0

    def write(self, text: str) -> int:
        """Swallow text. Raises `TooMuchPrinted` over the bound."""
        self.left -= len(text)
        if self.left < 0:
            raise TooMuchPrinted
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        return False


class TooMuchPrinted(Exception):
    """A program printed more than its bound on output."""


def _no_terminal(*_: object, **__: object) -> None:
    raise RuntimeError("there is no terminal")


def fake_clocks(seed: int) -> None:
    """Make every clock of `time` show an invented moment, months apart between seeds, and tick as it is read."""
    step = (((396 * 24 + 11) * 60 + 17) * 60 + 7) * 1_000_000_000 + 217_391_043  # no part of a date repeats
    start = 1_614_834_367_000_000_000 + seed * step
    reads, tick = itertools.count(seed), 1_000 * (2 * seed + 1) + seed

    def nanoseconds(_: object = None) -> int:
        return start + next(reads) * tick

    def seconds(_: object = None) -> float:
        return nanoseconds() / 1e9

    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime"):
        setattr(time, name, seconds)
        setattr(time, f"{name}_ns", nanoseconds)

    def now_by_default(real: Callable[[float], object]) -> Callable[[float | None], object]:
        return lambda moment=None: real(seconds() if moment is None else moment)

    broken_down = (time.localtime, time.asctime, time.strftime)
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, now_by_default(getattr(time, name)))

    def asctime(moment: time.struct_time | None = None) -> str:
        return broken_down[1](broken_down[0](seconds()) if moment is None else moment)

    def strftime(form: str, moment: time.struct_time | None = None) -> str:
        return broken_down[2](form, broken_down[0](seconds()) if moment is None else moment)

    setattr(time, "asctime", asctime)
    setattr(time, "strftime", strftime)


def fake_identity(seed: int) -> None:
    """Make the process ids tell nothing but the seed, and empty the environment."""
    import posix

    for module in (os, posix):
        setattr(module, "getpid", lambda: 4_201 + 977 * seed)
        setattr(module, "getppid", lambda: 4_001 + 977 * seed)
    os.environ.clear()


class Library:
    """Finder and loader of modules whose code lies in memory."""

    def __init__(self, random_seed: int, full: bool) -> None:
        self.random_seed = random_seed
        self.elsewhere = frozenset[str]() if full else frozenset(EXTENSIONS)
        self.leave: Callable[[], None] = lambda: None
        self.furnished: dict[str, ModuleType] = {}
        folder = os.path.dirname(os.__file__)
        codecs = (name[:-3] for name in sorted(os.listdir(os.path.join(folder, "encodings"))) if name.endswith(".py"))
        self.index: dict[str, tuple[int, int, bool]] = {}
        """Of each module in `code`: offset, size, and whether it is a package."""
        codes: list[bytes] = []
        offset = 0
        for name in (*LAZY, *(f"encodings.{codec}" for codec in codecs)):
            base = os.path.join(folder, *name.split("."))
            for path, package in ((f"{base}.py", False), (os.path.join(base, "__init__.py"), True)):
                if os.path.exists(path):
                    codes.append(_marshalled(name, path))
                    self.index[name] = (offset, len(codes[-1]), package)
                    offset += len(codes[-1])
        self.code = _read_only(b"".join(codes))

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """Return a module spec, or None."""
        if name == "_datetime":
            raise ModuleNotFoundError(name)
        if name in self.index or name in self.furnished:
            is_package = name in self.index and self.index[name][2]
            return bootstrap.ModuleSpec(name, cast(Any, self), is_package=is_package)
        if name in self.elsewhere:
            self.leave()
        return None

    def create_module(self, spec: Any) -> ModuleType | None:
        """Return a furnished module as it is, however often a program throws it out; None, the default, for others."""
        return self.furnished.get(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code in it."""
        if module.__name__ in self.furnished:
            return
        start, size, _ = self.index[module.__name__]
        code: CodeType = marshal.loads(self.code[start : start + size])
        exec(code, module.__dict__)
        if module.__name__ == "random":
            module.seed(self.random_seed)


def _marshalled(name: str, path: str) -> bytes:
    """Return the code of a module of the standard library: from its cache when that is fresh, else compiled."""
    try:
        with open(external.cache_from_source(path), "rb") as file:
            cached = file.read()
        modified = int(os.stat(path).st_mtime) & 0xFFFF_FFFF
        if cached[:8] == external.MAGIC_NUMBER + bytes(4) and cached[8:12] == modified.to_bytes(4, "little"):
            return cached[16:]
    except OSError:
        pass
    return marshal.dumps(external.SourceFileLoader(name, path).get_code(name))


def _read_only(data: bytes) -> mmap.mmap | bytes:
    """Map the data privately from an anonymous file: no fork copies it, nobody can change it for others."""
    if not hasattr(os, "memfd_create"):
        return data
    descriptor = os.memfd_create("library")
    try:
        os.truncate(descriptor, len(data))
        os.pwrite(descriptor, data, 0)
        return mmap.mmap(descriptor, len(data), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def preload(full: bool) -> None:
    """Import what has to be there before the file system goes."""
    for name in EAGER:
        __import__(name)
    sys.modules["_datetime"] = None  # type: ignore[assignment]  # the Python datetime reads the fake clocks
    for name in EXTENSIONS if full else ():
        try:
            __import__(name)
        except ImportError:  # another version has it under another name, or not at all
            continue


class Components(NamedTuple):
    """What the zygote has to know of the world it furnished."""

    full: bool
    sink: Sink
    library: Library
    hidden: list[ModuleType]
    """Modules taken out of sight, kept alive."""


def furnish(seed: int, full: bool) -> Components:
    """Arrange the world for children."""
    library, sink = Library(seed, full), Sink()
    fake_clocks(seed)
    fake_identity(seed)
    sys.stdin, sys.stdout, sys.stderr = None, sink, sink  # type: ignore[assignment]
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = None, sink, sink  # type: ignore[assignment,misc]
    sys.breakpointhook = _no_terminal
    sys.argv[:], sys.orig_argv[:], sys.path[:] = ["program"], [], []
    sys.executable = ""
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = cast("list[Any]", [library, bootstrap.BuiltinImporter, bootstrap.FrozenImporter])
    hidden = [sys.modules.pop(name) for name in list(sys.modules) if HIDDEN.match(name)]
    sys.modules.pop("__main__", None)
    for name in ("copyright", "credits", "license", "exit", "quit", "help"):
        builtins.__dict__.pop(name, None)
    library.furnished = {name: sys.modules[name] for name in ("time", "posix") if name in sys.modules}
    return Components(full, sink, library, hidden)
