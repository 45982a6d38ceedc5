"""Rows 40, 69, 70, 72, 77, 115, 116, 118 to 120, 140 to 143, 153 and 154.

Programs that turn on their own interpreter and on our runner, leave early, wait, or ask the terminal.
"""
# fmt: off

from .table import (
    BLOCKED,
    CONTAINED,
    CRASH,
    ERROR,
    EXITED,
    FORBIDDEN,
    OK,
    OWN_PROCESS,
    TIMEOUT,
    TOO_LARGE,
    UNSERIALISABLE,
    Case,
    case,
)

ANY_END = OWN_PROCESS | TOO_LARGE | UNSERIALISABLE

WRITABLE = """
        import gc, sys
        def writable():
            seen, found, queue = set(), [], list(gc.get_objects())
            frame = sys._getframe()
            while frame:
                queue += [frame.f_globals, frame.f_locals]
                frame = frame.f_back
            while queue and len(seen) < 200_000:
                thing = queue.pop()
                if id(thing) in seen:
                    continue
                seen.add(id(thing))
                if type(thing).__name__ == 'mmap' or type(thing) is memoryview:
                    found.append(thing)
                if type(thing).__name__.startswith('c_') and hasattr(type(thing), '_length_'):
                    found.append(thing)
                try:
                    queue += gc.get_referents(thing)
                except TypeError:
                    pass
            return found
        def fill(unit):
            count = 0
            for area in writable():
                try:
                    view = memoryview(area).cast('B')
                    view[:] = (unit * (len(view) // len(unit) + 1))[:len(view)]
                    count += 1
                except BaseException:
                    pass
            return count
"""

OWN: tuple[Case, ...] = (
    case(69, "breaks builtins.len and repr", """
        import builtins
        def f():
            builtins.len = builtins.repr = builtins.type = builtins.isinstance = None
            return 1
        """, OK, value="1"),
    case("69b", "breaks every builtin", """
        import builtins
        def f():
            for name in list(vars(builtins)):
                if name not in ('__build_class__', '__name__'):
                    setattr(builtins, name, None)
            return 1
        """, OK | ERROR, value="1"),
    case(70, "replaces builtins.repr for whoever comes next", """
        import builtins
        def f():
            builtins.repr = lambda x: 'pwned'
            builtins.str = lambda x: 'pwned'
            return 1
        """, OK, value="1"),
    case("70b", "replaces functions in every module it can see", """
        import sys
        def lie(*a, **k):
            return 'pwned'
        def f():
            for name, module in list(sys.modules.items()):
                for key, value in list(vars(module).items()):
                    if type(value) is type(lie) and not key.startswith('__'):
                        try:
                            setattr(module, key, lie)
                        except BaseException:
                            pass
            return 1
        """, OWN_PROCESS, value="1"),
    case(77, "walks up the stack frames", """
        import sys
        def f():
            frame, names = sys._getframe(), []
            while frame:
                names += list(frame.f_locals)
                frame = frame.f_back
            return 'gold' in names or 'expected' in names or 'answer' in names
        """, OWN_PROCESS, value="False"),
    case(118, "forged result frames written into every shared page, then exit", f"""
        {WRITABLE}
        def f():
            fill(b'V\\x00\\x00\\x00\\x011')
            import os
            os._exit(0)
        """, ANY_END),
    case(119, "garbage in every shared page", f"""
        {WRITABLE}
        def f():
            fill(b'\\xff')
            return 1
        """, ANY_END, value="1"),
    case("119b", "garbage, then exit", f"""
        {WRITABLE}
        def f():
            fill(b'\\xff\\x7f')
            import os
            os._exit(0)
        """, ANY_END),
    case("119c", "zeros, then a crash", f"""
        {WRITABLE}
        def f():
            fill(b'\\x00')
            import os
            os.abort()
        """, ANY_END),
    case(120, "invalid UTF-8 in every shared page", f"""
        {WRITABLE}
        def f():
            fill(b'\\x00\\x00\\x00\\x04\\xc3\\x28\\xed\\xa0')
            import os
            os._exit(0)
        """, ANY_END),
    case("140a", "writes to __builtins__", """
        def f():
            if isinstance(__builtins__, dict):
                __builtins__['len'] = lambda x: 7
            else:
                __builtins__.len = lambda x: 7
            return len('')
        """, OK, value="7", inputs=("", "")),
    case("140b", "writes to globals()", """
        def f(x):
            globals()['f'] = None
            globals()['helper'] = x
            return helper
        """, OK, inputs=("1", "2"), values=("1", "2")),
    case("140c", "writes to f.__defaults__", """
        def f(x=1):
            f.__defaults__ = (x + 1,)
            return x
        """, OK, inputs=("", "", "5"), values=("1", "1", "5")),
    case("140d", "writes to f.__code__", """
        def g():
            return 2
        def f():
            f.__code__ = g.__code__
            return 1
        """, OK, inputs=("", ""), value="1"),
    case("140e", "replaces f while it runs", """
        def f(x):
            global f
            f = lambda x: 'second'
            return x
        """, OK, inputs=("1", "2"), values=("1", "2")),
    case(141, "gc hunt for the parent's secret", """
        import gc, sys
        def f():
            secret = bytes([115, 51, 99, 114, 51, 116]).decode() * 2
            hits = 0
            for thing in gc.get_objects():
                for inner in (thing, *gc.get_referents(thing)):
                    if type(inner) is str and secret in inner:
                        hits += 1
            return hits
        """, OWN_PROCESS, value="0", cpu_seconds=3.0, deterministic=True),
    case(142, "settrace", """
        import sys
        def tracer(frame, event, argument):
            return tracer
        def f():
            sys.settrace(tracer)
            return 1
        """, OK, value="1", inputs=("", "")),
    case("142b", "setprofile that raises", """
        import sys
        def f():
            def profiler(frame, event, argument):
                raise ValueError
            sys.setprofile(profiler)
            return 1
        """, OK | ERROR, value="1"),
    case("142c", "an audit hook", """
        import sys
        def f():
            sys.addaudithook(lambda *a: None)
            return 1
        """, OK, value="1", inputs=("", "")),
    case("142d", "an audit hook that refuses everything", """
        import sys
        def refuse(*a):
            raise RuntimeError('no')
        def f():
            sys.addaudithook(refuse)
            return 1
        """, OWN_PROCESS, value="1", inputs=("", "")),
    case("142e", "an audit hook that leaves", """
        import sys, os
        def f():
            sys.addaudithook(lambda *a: os._exit(0))
            return 1
        """, OWN_PROCESS, value="1"),
    case("142f", "a tracer that rewrites the locals of the frames above", """
        import sys
        def tracer(frame, event, argument):
            frame.f_trace_opcodes = True
            for name in frame.f_locals:
                try:
                    frame.f_locals[name] = 7
                except BaseException:
                    pass
            return tracer
        def f():
            sys.settrace(tracer)
            frame = sys._getframe()
            while frame:
                frame.f_trace = tracer
                frame = frame.f_back
            return 1
        """, ANY_END),
    case(143, "an import hook that fakes a module", """
        import sys
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == 'faked':
                    return type(sys.__spec__)(name, Finder)
            @staticmethod
            def create_module(spec):
                return None
            @staticmethod
            def exec_module(module):
                module.answer = 41
        sys.meta_path.insert(0, Finder)
        def f():
            import faked
            return faked.answer + 1
        """, OK, value="42", inputs=("", "")),
    case("143b", "a module put into sys.modules by hand", """
        import sys
        sys.modules['math'] = type(sys)('math')
        def f():
            import math
            return hasattr(math, 'pi')
        """, OK, value="False"),
    case("143c", "raises the recursion limit to 1 and lowers it to nothing", """
        import sys
        def f():
            sys.setrecursionlimit(30)
            return 1
        """, OK | ERROR, value="1"),
    case("143d", "leaves the stack almost full", """
        def f(n=0):
            try:
                return f(n + 1)
            except RecursionError:
                return [[[[n]]]] and 1
        """, OK, value="1"),
    case("143e", "a finaliser that raises at the very end", """
        class A:
            def __del__(self):
                raise KeyboardInterrupt
        keep = A()
        def f():
            f.keep = A()
            return 1
        """, OK, value="1"),
    case("143f", "an unraisable hook that leaves", """
        import sys, os
        class A:
            def __del__(self):
                raise ValueError
        def f():
            sys.unraisablehook = sys.excepthook = lambda *a: os._exit(0)
            A()
            return 1
        """, OWN_PROCESS, value="1"),
    case("143g", "throws from a collection callback", """
        import gc
        def f():
            def callback(phase, info):
                raise SystemExit
            gc.callbacks.append(callback)
            gc.set_threshold(1)
            return [[n] for n in range(10)] and 1
        """, OK | ERROR | CRASH, value="1"),
)

TERMINAL: tuple[Case, ...] = (
    case(40, "os._exit(0)", "import os\ndef f():\n    os._exit(0)\n", EXITED | ERROR | FORBIDDEN),
    case("40b", "os._exit at import", "import os\nos._exit(0)\n", EXITED | ERROR | FORBIDDEN),
    case("40c", "os.abort", "import os\ndef f():\n    os.abort()\n", CONTAINED),
    case(72, "removes stdout and modules", """
        import sys
        def f():
            sys.stdout = sys.stderr = sys.__stdout__ = None
            sys.modules.clear()
            sys.stdout.write('x')
            return 1
        """, CONTAINED),
    case("72b", "removes stdout, modules and builtins, and returns", """
        import sys, builtins
        def f():
            sys.stdout = None
            sys.modules.clear()
            vars(builtins).clear()
            return 1
        """, OWN_PROCESS, value="1"),
    case(115, "signal.pause", """
        import signal
        def f():
            signal.pause()
            return 1
        """, ERROR | OK, value="1", weak=BLOCKED, cpu_seconds=0.1),
    case(116, "blocks all signals and loops", """
        import signal
        def f():
            try:
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            except (OSError, ValueError):
                pass
            while True:
                pass
        """, TIMEOUT, cpu_seconds=0.1),
    case(153, "input()", "def f():\n    return input()\n", ERROR),
    case("153b", "reads stdin", "import sys\ndef f():\n    return sys.stdin.read()\n", ERROR),
    case("153c", "reads descriptor 0", "import os\ndef f():\n    return os.read(0, 1)\n", ERROR),
    case(154, "breakpoint()", "def f():\n    breakpoint()\n    return 1\n", ERROR),
    case("154b", "help()", "def f():\n    help()\n    return 1\n", ERROR),
    case("154c", "license()", "def f():\n    license()\n    return 1\n", ERROR),
)

CASES: tuple[Case, ...] = OWN + TERMINAL
