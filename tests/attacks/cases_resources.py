"""Rows 1 to 28: time, memory, stack, output, and objects that loop when somebody looks at them."""
# fmt: off

from .table import (
    BLOCKED,
    CONTAINED,
    ERROR,
    EXITED,
    FORBIDDEN,
    GETS_THROUGH,
    INVALID_INPUT,
    MEMORY,
    OK,
    TIMEOUT,
    TOO_LARGE,
    UNSERIALISABLE,
    Case,
    case,
)

SHORT = 0.1

LIST_890 = "[" + ", ".join(str(n) for n in range(200)) + "]"
assert len(LIST_890) == 890

TIME: tuple[Case, ...] = (
    case(1, "endless loop", """
        def f():
            while True:
                pass
        """, TIMEOUT, cpu_seconds=SHORT),
    case(2, "endless loop that swallows every exception", """
        def f():
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    continue
        """, TIMEOUT, cpu_seconds=SHORT),
    case(3, "disables the alarm signals, then loops", """
        import signal
        def f():
            for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGPROF, signal.SIGVTALRM, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            while True:
                pass
        """, TIMEOUT | FORBIDDEN | ERROR, cpu_seconds=SHORT),
    case("3b", "ignores every signal it may, and every refusal, then loops", """
        def f():
            try:
                import _signal
                for number in range(1, 65):
                    try:
                        _signal.signal(number, _signal.SIG_IGN)
                    except BaseException:
                        pass
            except BaseException:
                pass
            while True:
                pass
        """, TIMEOUT, cpu_seconds=SHORT),
    case(4, "endless iterator consumed inside C", """
        import itertools
        def f():
            return sum(itertools.repeat(0))
        """, TIMEOUT, cpu_seconds=SHORT),
    case("4b", "endless iterator drained by a zero-length deque", """
        import itertools, collections
        def f():
            collections.deque(itertools.count(), maxlen=0)
        """, TIMEOUT, cpu_seconds=SHORT),
    case(5, "10**10**10", """
        def f():
            return 10 ** 10 ** 10
        """, TIMEOUT | MEMORY, cpu_seconds=SHORT),
    case("5b", "a huge power folded by the compiler or not at all", """
        n = 9 ** 9
        def f():
            return (n ** n) % 7
        """, TIMEOUT | MEMORY, cpu_seconds=SHORT),
    case(6, "integer of 50,000 digits as output", """
        def f():
            return 10 ** 49_999
        """, TOO_LARGE),
    case("6b", "the same after lifting the digit limit", """
        import sys
        def f():
            sys.set_int_max_str_digits(0)
            return 10 ** 49_999
        """, TOO_LARGE),
    case("6c", "4,300 digits are allowed", """
        def f():
            return 10 ** 4_299
        """, OK, value="1" + "0" * 4_299),
    case("6d", "4,301 digits are not", """
        import sys
        def f():
            sys.set_int_max_str_digits(0)
            return [10 ** 4_300]
        """, TOO_LARGE),
    case(7, "sum over 10^12 inside C", """
        def f():
            return sum(range(10 ** 12))
        """, TIMEOUT, cpu_seconds=SHORT),
    case(8, "catastrophic regex backtracking", """
        import re
        def f():
            return bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))
        """, TIMEOUT, cpu_seconds=SHORT),
    case(9, "sleeps 60 s", """
        import time
        def f():
            time.sleep(60)
            return 1
        """, TIMEOUT | FORBIDDEN | ERROR, cpu_seconds=SHORT,
         weak=TIMEOUT | FORBIDDEN | ERROR | BLOCKED),  # without a filter only the wall limit ends a sleep
    case("9b", "loops at import, before f exists", """
        while True:
            pass
        """, TIMEOUT, cpu_seconds=SHORT),
)

STORAGE: tuple[Case, ...] = (
    case(10, "30 GB bytearray", """
        def f():
            return len(bytearray(30 * 2 ** 30))
        """, MEMORY),
    case(11, "list doubling", """
        def f():
            x = [0]
            while True:
                x += x
        """, MEMORY),
    case("11b", "list doubling that swallows MemoryError", """
        def f():
            x = [0]
            while True:
                try:
                    x += x
                except MemoryError:
                    pass
        """, TIMEOUT | MEMORY, cpu_seconds=SHORT),
    case(12, "20 GB through % formatting", """
        def f():
            return len('%20000000000d' % 1)
        """, MEMORY | ERROR),
    case("12b", "2 GB through % formatting, within the format's own bound", """
        def f():
            return len('%2000000000d' % 1)
        """, MEMORY),
    case(13, "plain unbounded recursion", """
        def f():
            return f()
        """, ERROR, detail="RecursionError"),
    case(14, "recursion limit raised to 10^9, then recursion", """
        import sys
        sys.setrecursionlimit(10 ** 9)
        def f(n=0):
            return f(n + 1) + 1
        """, CONTAINED),
    case(15, "repr of a list nested 10^6 deep with the limit raised", """
        import sys
        def f():
            sys.setrecursionlimit(10 ** 9)
            x = []
            for _ in range(10 ** 6):
                x = [x]
            return len(repr(x))
        """, CONTAINED, memory_mb=256, cpu_seconds=2.0),
    case(16, "frees a tuple nested 10^6 deep (legal)", """
        def f():
            x = ()
            for _ in range(10 ** 6):
                x = (x,)
            del x
            return 1
        """, OK, value="1", memory_mb=256, cpu_seconds=3.0),
    case(17, "12 nested forks", """
        import os
        def f():
            for _ in range(12):
                os.fork()
            return 1
        """, FORBIDDEN | ERROR, weak=GETS_THROUGH, weak_program="""
        import os
        def f():
            if os.fork() == 0:
                os._exit(0)
            return 1
        """),
    case(18, "spinning thread left behind", """
        import _thread
        def spin():
            while True:
                pass
        def f():
            _thread.start_new_thread(spin, ())
            return 1
        """, ERROR | FORBIDDEN | TIMEOUT | OK, value="1", cpu_seconds=SHORT),
    case("18b", "non-daemon spinning thread through threading", """
        import threading
        def spin():
            while True:
                pass
        def f():
            threading.Thread(target=spin).start()
            return 1
        """, ERROR | FORBIDDEN | TIMEOUT | OK, value="1", cpu_seconds=SHORT),
    case(19, "3,000 threads", """
        import _thread
        def f():
            lock = _thread.allocate_lock()
            lock.acquire()
            for _ in range(3_000):
                _thread.start_new_thread(lock.acquire, ())
            return 1
        """, ERROR | FORBIDDEN),
    case(20, "prints 10 GB", """
        def f():
            for _ in range(10 ** 4):
                print('x' * 10 ** 6)
        """, TOO_LARGE | ERROR | TIMEOUT),
    case("20b", "prints 10 GB and swallows every refusal", """
        import sys
        def f():
            for _ in range(10 ** 9):
                try:
                    sys.stderr.write('x' * 10 ** 6)
                except BaseException:
                    pass
        """, TOO_LARGE | ERROR | TIMEOUT, cpu_seconds=SHORT),
)

OUTPUT: tuple[Case, ...] = (
    case(21, "returns a 50 MB string", """
        def f():
            return 'a' * 50_000_000
        """, TOO_LARGE, memory_mb=256),
    case("21b", "returns a 50 MB bytes object", """
        def f():
            return b'a' * 50_000_000
        """, TOO_LARGE, memory_mb=256),
    case("21c", "text of exactly 65,536 bytes is not too large", """
        def f():
            return 'a' * 65_534
        """, OK, value="'" + "a" * 65_534 + "'"),
    case("21d", "one byte more is", """
        def f():
            return 'a' * 65_535
        """, TOO_LARGE),
    case("21e", "the bound counts UTF-8 bytes", """
        def f():
            return '\\u20ac' * 30_000
        """, TOO_LARGE),
    case(22, "returns a list whose text is 890 characters: never cut", """
        def f():
            return list(range(200))
        """, OK, value=LIST_890),
    case(23, "returns a list nested 90 deep", """
        def f():
            x = 1
            for _ in range(90):
                x = [x]
            return x
        """, TOO_LARGE),
    case(24, "returns a list that contains itself", """
        def f():
            x = [1]
            x.append(x)
            return x
        """, TOO_LARGE | UNSERIALISABLE),
    case("24b", "returns a dict that contains itself", """
        def f():
            x = {}
            x['x'] = (x,)
            return x
        """, TOO_LARGE | UNSERIALISABLE),
    case(25, "returns a 60-level shared structure of 2^60 leaves", """
        def f():
            x = 1
            for _ in range(59):
                x = (x, x)
            return x
        """, TOO_LARGE),
    case("25b", "returns 30,000 zeros", """
        def f():
            return [0] * 30_000
        """, TOO_LARGE),
    case(26, "object whose __repr__ loops", """
        class A:
            def __repr__(self):
                while True:
                    pass
        def f():
            return A()
        """, UNSERIALISABLE, detail="A"),
    case("26b", "the same deep inside a container", """
        class A:
            def __repr__(self):
                while True:
                    pass
            __hash__ = object.__hash__
        def f():
            return [1, {'k': ({A()},)}]
        """, UNSERIALISABLE, detail="A"),
    case(27, "exception whose __str__ loops", """
        class E(Exception):
            def __str__(self):
                while True:
                    pass
            __repr__ = __str__
        def f():
            raise E
        """, ERROR, detail="E"),
    case("27b", "exception whose class lies about its name, in a loop", """
        class Meta(type):
            @property
            def __name__(cls):
                while True:
                    pass
            def __getattribute__(cls, name):
                while True:
                    pass
        class E(Exception, metaclass=Meta):
            pass
        def f():
            raise E
        """, ERROR, detail="E", cpu_seconds=SHORT),
    case(28, "__del__ loops", """
        class A:
            def __del__(self):
                while True:
                    pass
        def f():
            a = A()
            del a
            return 1
        """, TIMEOUT, cpu_seconds=SHORT),
    case("28b", "__del__ of an object left in a global", """
        class A:
            def __del__(self):
                while True:
                    pass
        def f():
            global keep
            keep = A()
            return 1
        """, TIMEOUT | OK, value="1", cpu_seconds=SHORT),
)

BLOCKING: tuple[Case, ...] = (
    case(114, "deadlock on a lock", """
        import _thread
        def f():
            lock = _thread.allocate_lock()
            lock.acquire()
            lock.acquire()
        """, BLOCKED, cpu_seconds=SHORT),
    case("114b", "waits with a time limit, again and again: a worker must not stand still for it", """
        import _thread
        def f():
            lock = _thread.allocate_lock()
            lock.acquire()
            while True:
                lock.acquire(timeout=0.5)
        """, BLOCKED | TIMEOUT | ERROR, cpu_seconds=SHORT),
)

HANGS = (
    case(117, "second of four inputs hangs", """
        def f(x):
            while x == 2:
                pass
            return x
        """, OK, inputs=("1", "2", "3", "4"), each=(OK, TIMEOUT, OK, OK), values=("1", None, "3", "4"),
         cpu_seconds=SHORT),
    case("117b", "each of four inputs fails in its own way", """
        import os
        def f(x):
            if x == 1:
                return len(bytearray(2 ** 35))
            if x == 2:
                os._exit(0)
            if x == 3:
                raise KeyError
            return x
        """, OK, inputs=("1", "2", "3", "4", "nothing"), values=(None, None, None, "4", None),
         each=(MEMORY, EXITED | ERROR | FORBIDDEN, ERROR, OK, INVALID_INPUT)),
)

CASES: tuple[Case, ...] = HANGS + TIME + STORAGE + OUTPUT + BLOCKING
