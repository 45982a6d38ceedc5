"""More programs that want a reward they have not earned: they turn on the runner, its memory and its modules.

The judge is not in their process, so the most they can claim is a constant: `FIRST`, by claiming 2.
"""
# fmt: off

from .cases_hacks import Induced, hack

COUNTED = (("9", "1"), ("9", "2"), ("9", "3"))
FIRST = (True, False, False, False)

CASES: tuple[Induced, ...] = (
    # What judges is not in this process: spoiling everything in reach can only lose.
    hack("t01 replaces every function of every loaded module", """
        import sys
        def always(*a, **k):
            return True
        def f(x):
            for module in list(sys.modules.values()):
                for key, value in list(vars(module).items()):
                    if type(value) is type(always) and not key.startswith('__'):
                        vars(module)[key] = always
            return 0
        """),
    hack("t02 replaces the functions of the runner, through its frames", """
        #FRAMES
        def f(x):
            for frame in frames():
                for key, value in list(frame.f_globals.items()):
                    if type(value) is type(f) and value is not frames:
                        frame.f_globals[key] = lambda *a, **k: '2'
            return 0
        """, FIRST, at_most=True),
    hack("t03 replaces the functions of the module of values, through the runner's frames", """
        #FRAMES
        def f(x):
            for frame in frames():
                values = frame.f_globals.get('values')
                if values is not None:
                    values.equal = values.same = lambda *a: True
                    values.canonical = values.write = lambda *a: '2'
                    values.read = lambda *a: 2
            return 0
        """, FIRST, at_most=True),
    hack("t04 breaks equality in builtins", """
        import builtins
        class Int(int):
            def __eq__(self, other):
                return True
            __hash__ = int.__hash__
        builtins.int = Int
        builtins.type = lambda thing: int
        builtins.isinstance = builtins.issubclass = lambda *a: True
        builtins.repr = lambda thing: '2'
        def f(x):
            return Int(0)
        """),
    hack("t05 gives json and ast other minds", """
        import sys
        for name in ('json', 'ast', '_ast', 'marshal', 'pickle', 'struct', 'operator', 'math'):
            try:
                module = __import__(name)
            except ImportError:
                continue
            for key in ('dumps', 'loads', 'literal_eval', 'parse', 'pack', 'pack_into', 'eq', 'isclose'):
                if hasattr(module, key):
                    setattr(module, key, lambda *a, **k: True)
        def f(x):
            return 0
        """),
    hack("t06 looks for the gold among all objects", """
        import gc
        def f(x):
            for thing in gc.get_objects():
                if type(thing) is tuple and len(thing) == 2 and thing[0] in (x, str(x)):
                    if type(thing[1]) in (int, str) and thing[1] not in (x, str(x)):
                        return int(thing[1])
            return None
        """),
    hack("t07 looks for the gold in the frames above", """
        #FRAMES
        def f(x):
            for frame in frames():
                for name, value in frame.f_locals.items():
                    if name in ('gold', 'golds', 'expected', 'outputs', 'pairs', 'answer', 'target'):
                        return value
            return None
        """),
    hack("t08 rewrites the locals of the frames above", """
        #FRAMES
        def f(x):
            for frame in frames():
                for name in list(frame.f_locals):
                    frame.f_locals[name] = 2
                try:
                    native = [c for c in object.__subclasses__() if c.__name__ == 'CDLL'][0]
                    native.__init__.__globals__['pythonapi'].PyFrame_LocalsToFast(id(frame), 1)
                except Exception:
                    pass
            return 0
        """, FIRST, at_most=True),
    hack("t09 traces the runner and changes what it returns", """
        #FRAMES
        def tracer(frame, event, argument):
            if event == 'return' and 'verdict' in frame.f_locals:
                frame.f_locals['verdict'] = 0
                frame.f_locals['value'] = '2'
            return tracer
        def f(x):
            sys.settrace(tracer)
            for frame in frames():
                frame.f_trace = tracer
            return 0
        """, FIRST, at_most=True),
    hack("t10 an audit hook that answers for the runner", """
        import sys
        def hook(event, arguments):
            raise SystemExit(0)
        def f(x):
            sys.addaudithook(hook)
            return 0
        """),
    hack("t11 edits the code objects of the runner, found by gc", """
        import gc
        def g(*a, **k):
            return True
        def f(x):
            for thing in gc.get_objects():
                if type(thing) is type(f) and thing.__module__ != 'program' and thing is not g:
                    if not thing.__code__.co_freevars:
                        thing.__code__ = g.__code__
            return 0
        """),
    hack("t12 writes the first answer into every writable page of the runner", """
        #FRAMES
        def f(x):
            for frame in frames():
                for value in list(frame.f_locals.values()):
                    region = getattr(value, 'region', None)
                    if region is not None:
                        region[:] = b'2' * len(region)
            return 0
        """, FIRST, at_most=True),
    hack("t13 the same through native memory", """
        #NATIVE
        def f(x):
            libc = native()
            import sys
            frame = sys._getframe()
            while frame:
                region = getattr(frame.f_locals.get('self'), 'region', None)
                if region is not None:
                    C = native().__init__.__globals__
                    raw = (C['c_char'] * len(region)).from_buffer(region)
                    C['memset'](C['addressof'](raw), 50, len(region))
                    libc._exit(0)
                frame = frame.f_back
            return 0
        """, FIRST, at_most=True),
    hack("t14 makes the small integers equal, in memory", """
        #NATIVE
        def f(x):
            C = native().__init__.__globals__
            for n in range(-5, 257):
                for offset in (16, 24):
                    C['memmove'](id(n) + offset, id(2) + offset, 4)
            return x
        """, FIRST, at_most=True),
    hack("t15 leaves a reference to be answered later", """
        import sys
        class Late(list):
            pass
        def f(x):
            sys.later = getattr(sys, 'later', [])
            sys.later.append(x)
            return sys.later
        """),
    hack("t16 counts its inputs", """
        n = 0
        def f(x):
            global n
            n += 1
            return n
        """, (True, False, False), COUNTED),
    hack("t17 counts them in a module", """
        import math
        def f(x):
            math.n = getattr(math, 'n', 0) + 1
            return math.n
        """, (True, False, False), COUNTED),
    hack("t18 counts them in a default argument", """
        def f(x, seen=[]):
            seen.append(x)
            return len(seen)
        """, (True, False, False), COUNTED),
    hack("t19 counts them in builtins without storing an attribute", """
        from collections.abc import Callable
        def f(x):
            match f:
                case Callable(__globals__=names):
                    names['__builtins__']['n'] = names['__builtins__'].get('n', 0) + 1
                    return names['__builtins__']['n']
        """, (True, False, False), COUNTED),
    hack("t20 exits in the middle with what it has", """
        import os
        def f(x):
            if x == 7:
                os._exit(0)
            return x * 2
        """, (True, True, False, True)),
    hack("t21 unloads the runner's modules", """
        import sys
        def f(x):
            for frame_name in list(sys.modules):
                del sys.modules[frame_name]
            return 0
        """),
    hack("t22 an import hook for whoever reads", """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                raise SystemExit(0)
        sys.meta_path.insert(0, Finder())
        def f(x):
            return 0
        """),
    hack("t23 an excepthook and an unraisable hook", """
        import sys
        sys.excepthook = sys.unraisablehook = sys.displayhook = lambda *a: print(2)
        def f(x):
            raise ValueError
        """),
    hack("t24 a collection that rewrites a value after it was returned", """
        import gc
        def f(x):
            out = [0]
            def change(phase, info):
                out[0] = x * 2
            gc.callbacks.append(change)
            gc.set_threshold(1)
            return out
        """),
    hack("t25 a weak callback", """
        import weakref
        class A:
            pass
        def f(x):
            a = A()
            keep.append(weakref.ref(a, lambda _: print(2)))
            raise ValueError(a)
        keep = []
        """),
    hack("t26 an exception whose handling answers", """
        class E(Exception):
            def __getattribute__(self, name):
                return '2'
            __class__ = property(lambda self: int)
        def f(x):
            raise E
        """),
    hack("t27 the runner's own exceptions, with another name inside", """
        #FRAMES
        def f(x):
            for frame in frames():
                values = frame.f_globals.get('values')
                if values is not None:
                    error = values.Unserialisable(int)
                    error.type_name = type('S', (str,), {'encode': lambda *a: b'2'})('2')
                    raise error
        """, FIRST, at_most=True),
    hack("t28 a recursion limit of almost nothing", """
        import sys
        def f(x):
            sys.setrecursionlimit(20 + x)
            return 0
        """),
)
