"""Rows 118 to 122 and 144 to 148: crafted bytecode, native code without ctypes' import, raw system calls.

`import ctypes` fails in the child, but its classes are loaded and can be found among object's subclasses:
that is the way to native code here, and the wall has to hold behind it.
"""
# fmt: off

from textwrap import dedent

from .table import (
    ARM,
    BEFORE_312,
    CONTAINED,
    CRASH,
    ERROR,
    FORBIDDEN,
    GETS_THROUGH,
    MEMORY,
    OK,
    OWN_PROCESS,
    X86,
    Case,
    Verdicts,
    case,
)

NATIVE = dedent("""
    def native():
        for c in ().__class__.__base__.__subclasses__():
            if c.__name__ == 'CDLL':
                return c(None, use_errno=True)
        raise ImportError('no native code in reach')
    C = native().__init__.__globals__
    libc = native()
    libc.syscall.restype = C['c_long']
    errno = C['get_errno']
    def call(number, *arguments):
        words = [a if isinstance(a, bytes) else C['c_long'](a) for a in arguments]
        result = libc.syscall(C['c_long'](number), *words)
        if result < 0:
            raise OSError(errno(), 'refused')
        return result
    """)

NUMBERS = {  # name: (x86-64, aarch64)
    "getppid": (110, 173),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "execve": (59, 221),
    "execveat": (322, 281),
    "clone": (56, 220),
    "unshare": (272, 97),
    "setns": (308, 268),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "kill": (62, 129),
    "clone3": (435, 435),
    "mprotect": (10, 226),
    "mmap": (9, 222),
    "pkey_mprotect": (329, 288),
    "shmget": (29, 194),
    "socket": (41, 198),
    "openat": (257, 56),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "seccomp": (317, 277),
    "prctl": (157, 167),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "name_to_handle_at": (303, 264),
}


def number(name: str) -> int:
    return NUMBERS[name][1 if ARM else 0]


def raw(row: str, title: str, body: str, expect: Verdicts, **more: object) -> Case:
    """`body` is the inside of f; `{name}` is that system call's number."""
    names = {name: number(name) for name in NUMBERS}
    inside = "\n".join("    " + line for line in dedent(body.format(**names)).strip().splitlines())
    more = {"weak": GETS_THROUGH, **more}
    return case(row, title, f"{NATIVE}\ndef f():\n{inside}\n", expect, **more)


HERE = (X86, ARM).count(True) == 1

FORBIDDEN_CALLS: tuple[Case, ...] = (
    raw("144a", "ptrace: attach to the zygote without stopping it", """
        return call({ptrace}, 0x4206, libc.getppid(), 0, 0)
        """, FORBIDDEN),
    raw("144b", "process_vm_writev into the zygote", """
        return call({process_vm_writev}, libc.getppid(), 0, 0, 0, 0, 0)
        """, FORBIDDEN),
    raw("144c", "process_vm_readv from the zygote, refusal swallowed", """
        try:
            return call({process_vm_readv}, libc.getppid(), 0, 0, 0, 0, 0)
        except OSError:
            return 0
        """, FORBIDDEN),
    raw("144d", "pidfd_getfd from the zygote", """
        try:
            handle = call({pidfd_open}, libc.getppid(), 0)
        except OSError:
            handle = 3
        return call({pidfd_getfd}, handle, 0, 0)
        """, FORBIDDEN),
    raw("144e", "pidfd_send_signal", """
        return call({pidfd_send_signal}, 3, 0, 0, 0)
        """, FORBIDDEN),
    *(
        raw(f"145{letter}", name, f"""
            return call({{{name}}}, {arguments})
            """, FORBIDDEN)
        for letter, name, arguments in (
            ("a", "io_uring_setup", "1, 0"),
            ("b", "userfaultfd", "0"),
            ("c", "keyctl", "0, -3, 0"),
            ("d", "bpf", "0, 0, 0"),
            ("e", "perf_event_open", "0, 0, -1, -1, 0"),
            ("f", "add_key", "0, 0, 0, 0, 0"),
            ("g", "unshare", "0"),
            ("h", "setns", "-1, 0"),
            ("i", "execve", "0, 0, 0"),
            ("j", "execveat", "-1, 0, 0, 0, 0"),
            ("k", "kill", "libc.getppid(), 0"),
            ("l", "tkill", "libc.getppid(), 0"),
            ("n", "rt_sigqueueinfo", "libc.getppid(), 0, 0"),
        )
    ),
    raw("145o", "clone without the thread flag", """
        pid = call({clone}, 17, 0, 0, 0, 0)
        if pid == 0:
            libc._exit(0)
        return pid
        """, FORBIDDEN),
    *(
        raw(f"145{letter}", name, f"""
            return call({{{name}}}, {arguments})
            """, ERROR | FORBIDDEN)
        for letter, name, arguments in (
            ("p", "clone3", "0, 0"),
            ("q", "socket", "2, 1, 0"),
            ("r", "openat", "-100, b'/etc/passwd', 0, 0"),
            ("s", "memfd_create", "b'x', 0"),
            ("t", "shmget", "0, 4096, 0o1600"),
            ("u", "mount", "0, 0, 0, 0, 0"),
            ("v", "seccomp", "1, 0, 0"),
            ("w", "prctl", "4, 1, 0, 0, 0"),
            ("x", "init_module", "0, 0, 0"),
            ("m", "tgkill", "libc.getppid(), libc.getppid(), 0"),  # abort() makes it: refused, not fatal
            ("y", "name_to_handle_at", "-1, 0, 0, 0, 0"),
        )
    ),
    raw("145z", "a system call that does not exist yet", "return call(1_000)", ERROR | FORBIDDEN),
) if HERE else ()

ENTRIES: tuple[Case, ...] = (
    raw("146a", "x32 system-call entry: getppid", "return call(0x40000000 | 110)", FORBIDDEN),
    raw("146b", "x32 system-call entry: execve, refusal swallowed", """
        try:
            return call(0x40000000 | 520, 0, 0, 0)
        except OSError:
            return 0
        """, FORBIDDEN),
    raw("146c", "32-bit system-call entry, through the bytes of one inside libc", """
        base = C['cast'](libc.qsort, C['c_void_p']).value
        step = 65_536
        for start in range(base & -step, base + 16 * step, step):
            found = C['string_at'](start, step).find(b'\\xcd\\x80')
            if found >= 0:
                C['CFUNCTYPE'](C['c_long'])(start + found)()
                return 0
        raise LookupError
        """, FORBIDDEN),
) if X86 else ()

MAPPINGS: tuple[Case, ...] = (
    raw("147a", "mprotect to executable", """
        page = C['create_string_buffer'](8_192)
        start = (C['addressof'](page) + 4_095) & -4_096
        call({mprotect}, start, 4_096, 7)
        return 1
        """, ERROR),
    raw("147b", "an executable mapping from the start", "return call({mmap}, 0, 4096, 7, 34, -1, 0)", ERROR),
    raw("147c", "pkey_mprotect to executable", """
        page = C['create_string_buffer'](8_192)
        start = (C['addressof'](page) + 4_095) & -4_096
        call({pkey_mprotect}, start, 4_096, 7, -1)
        return 1
        """, ERROR | FORBIDDEN),
    raw("147d", "an executable mapping through the mmap module", """
        import mmap
        return len(mmap.mmap(-1, 4_096, prot=7))
        """, ERROR),
    raw("147e", "a call-back, which needs executable memory or a prepared page", """
        made = C['CFUNCTYPE'](C['c_long'], C['c_long'])(lambda n: n + 1)
        return made(41)
        """, OWN_PROCESS),
    raw("147f", "runs machine code from the heap", """
        code = C['create_string_buffer'](b'\\xc3' * 4_096)
        return C['CFUNCTYPE'](C['c_int'])(C['addressof'](code))()
        """, CRASH),
) if HERE else ()

BROKEN: tuple[Case, ...] = (
    case(121, "crafted bytecode: constants that are not there", f"""
        def many():
            return [{", ".join(f"{n}.5 if x else 0" for n in range(400))}]
        def f():
            bad = many.__code__.replace(co_consts=())
            exec(bad, {{'x': 1}})
            return 1
        """, CRASH, detail="SIGSEGV"),
    case("121b", "dereferences a null pointer",
         f"{NATIVE}\ndef f():\n    return C['c_long'].from_address(0).value\n", CRASH, detail="SIGSEGV"),
    case("121c", "aborts inside the C library", f"{NATIVE}\ndef f():\n    libc.abort()\n", CRASH | FORBIDDEN),
    case("121d", "breaks a reference count, then collects", f"""
        {NATIVE.replace(chr(10), chr(10) + "        ")}
        import gc
        def f():
            x = [[n] for n in range(1_000)]
            for n in range(0, 1_000, 3):
                C['c_long'].from_address(id(x[n])).value = 1
            y = x[:]
            del x
            gc.collect()
            return len(repr(y))
        """, OWN_PROCESS),
    case(122, "C-stack overflow through __lt__ in sort", """
        import sys
        sys.setrecursionlimit(10 ** 9)
        class A:
            def __lt__(self, other):
                return sorted([A(), A()]) is None
        def f():
            return sorted([A(), A()]) is None
        """, CRASH if BEFORE_312 else CRASH | ERROR, cpu_seconds=2.0, memory_mb=256),
    case(148, "memory bomb in 64 MB steps just below the limit", """
        def f():
            keep = []
            while True:
                keep.append(bytearray(64 * 2 ** 20))
        """, MEMORY),
    case("148b", "the same, swallowing the refusal", """
        def f():
            keep = []
            try:
                while True:
                    keep.append(bytes(64 * 2 ** 20))
            except MemoryError:
                return len(keep) < 3
        """, OK | MEMORY, value="True"),
    case("148c", "the same through anonymous mappings", """
        import mmap
        def f():
            keep = []
            while True:
                keep.append(mmap.mmap(-1, 64 * 2 ** 20))
        """, CONTAINED),
)

CASES: tuple[Case, ...] = FORBIDDEN_CALLS + ENTRIES + MAPPINGS + BROKEN
