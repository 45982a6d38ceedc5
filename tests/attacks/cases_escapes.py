"""Rows 53 to 72, 77, and more that wants out: files, processes, network."""
# fmt: off

from .table import (
    BLOCKED,
    CONTAINED,
    ERROR,
    FORBIDDEN,
    GETS_THROUGH,
    INFRASTRUCTURE,
    OK,
    OWN_PROCESS,
    TIMEOUT,
    Case,
    case,
)

OS = """
        def find_os():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == '_wrap_close':
                    return c.__init__.__globals__
"""

COMMANDS: tuple[Case, ...] = (
    case(53, "os.system", """
        import os
        def f():
            return os.system('true')
        """, CONTAINED, weak=GETS_THROUGH),
    case("53b", "os.system, the refusal swallowed, the status returned", """
        import os
        def f():
            try:
                return os.system('echo x > @FOLDER@/system')
            except BaseException:
                return 0
        """, CONTAINED, weak=GETS_THROUGH),
    case("53c", "posix_spawn", """
        import os
        def f():
            return os.posix_spawn('/bin/sh', ['sh', '-c', 'echo x > @FOLDER@/spawn'], {})
        """, CONTAINED, weak=GETS_THROUGH),
    case("53d", "exec, replacing the child itself", """
        import os
        def f():
            try:
                os.execv('/bin/sh', ['sh', '-c', 'echo x > @FOLDER@/exec'])
            except OSError:
                return 1
        """, CONTAINED, weak=GETS_THROUGH),
    case("53e", "os.popen", """
        import os
        def f():
            return os.popen('echo x > @FOLDER@/popen').read()
        """, CONTAINED, weak=GETS_THROUGH),
    case("53f", "_posixsubprocess", """
        import os, _posixsubprocess
        def f():
            arguments = [[b'/bin/true'], [b'/bin/true'], True, (), None, None, -1, -1, -1, -1, -1, -1, -1, -1,
                         False, False, 0, None, None, None, -1, None]
            for count in (23, 22, 21, 20):
                try:
                    return _posixsubprocess.fork_exec(*arguments[:count])
                except TypeError:
                    pass
            raise OSError
        """, CONTAINED, weak=GETS_THROUGH),
    case(54, "subprocess.call", """
        import subprocess
        def f():
            return subprocess.call(['true'])
        """, CONTAINED),
    case(55, "os.system through __import__ and getattr", """
        def f():
            return getattr(__import__('o' + 's'), 'sys' + 'tem')('true')
        """, CONTAINED, weak=GETS_THROUGH),
    case("55b", "posix.system, the built-in module", """
        def f():
            import posix
            return posix.system('true')
        """, CONTAINED, weak=GETS_THROUGH),
    case(56, "os through __subclasses__ and __globals__", f"""
        {OS}
        def f():
            return find_os()['system']('true')
        """, CONTAINED, weak=GETS_THROUGH),
    case("56b", "os through the import system's own globals", """
        def f():
            return __import__.__self__.__loader__.load_module('posix').system('true')
        """, CONTAINED, weak=GETS_THROUGH),
    case(61, "libc.system through ctypes", """
        import ctypes
        def f():
            return ctypes.CDLL(None).system(b'true')
        """, CONTAINED),
    case("61b", "libc.system through the class found among object's subclasses", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL':
                    status = c(None).system(b'echo x > @FOLDER@/libc')
                    if status:
                        raise OSError(status)
                    return status
            raise ImportError
        """, CONTAINED, weak=GETS_THROUGH),
    case(64, "forks and lets both copies return", """
        import os
        def f():
            os.fork()
            return 1
        """, CONTAINED, weak=GETS_THROUGH),
    case("64b", "forks, swallows the refusal", """
        import os
        def f():
            try:
                return int(os.fork() >= 0)
            except BaseException:
                return 2
        """, CONTAINED, weak=GETS_THROUGH),
    case("64c", "fork through libc", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL':
                    return c(None).fork() >= 0
            raise ImportError
        """, CONTAINED, weak=GETS_THROUGH),
)

FILES: tuple[Case, ...] = (
    case(57, "reads the password file", """
        def f():
            with open('/etc/passwd') as file:
                return file.read(4) == 'root'
        """, CONTAINED, weak=GETS_THROUGH),
    case("57b", "reads it through os.open, _io and posix", """
        def f():
            import os, _io
            for attempt in (lambda: os.read(os.open('/etc/passwd', 0), 4),
                            lambda: _io.FileIO('/etc/passwd').read(4),
                            lambda: _io.open_code('/etc/passwd').read(4),
                            lambda: os.listdir('/etc') and b'list',
                            lambda: os.stat('/etc/passwd').st_size and b'stat',
                            lambda: os.readlink('/proc/self/exe')):
                try:
                    return attempt()
                except OSError:
                    pass
            raise OSError
        """, CONTAINED, weak=GETS_THROUGH),
    case(58, "writes a file", """
        def f():
            with open('@FOLDER@/written', 'w') as file:
                return file.write('x')
        """, CONTAINED, weak=GETS_THROUGH),
    case(59, "reads a secret from the environment", """
        import os
        def f():
            return os.environ['@SECRET@']
        """, CONTAINED),
    case("59b", "reads it through libc and /proc", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL' and c(None).getenv(b'@SECRET@'):
                    return 'found'
            import os
            if '@SECRET@' in os.environ or b'@SECRET@' in os.environb:
                return 'found'
            with open('/proc/%d/environ' % os.getppid()) as file:
                return 'found' if '@SECRET@' in file.read() else 1 / 0
        """, CONTAINED),
    case(62, "opens its own memory file for writing", """
        def f():
            with open('/proc/self/mem', 'r+b') as file:
                return 1
        """, CONTAINED, weak=GETS_THROUGH),
    case(65, "closes every descriptor", """
        import os
        def f():
            os.closerange(0, 4_096)
            return 1
        """, OWN_PROCESS, value="1"),
    case(66, "writes junk to every descriptor", """
        import os
        def f():
            for number in range(1_024):
                try:
                    os.write(number, b'\\xff' * 65_536)
                except OSError:
                    pass
            return 1
        """, OWN_PROCESS, value="1"),
    case(67, "imports a package of the host", """
        import pip
        def f():
            return 1
        """, ERROR | FORBIDDEN | OK, value="1"),
    case("67b", "puts the host's packages back on the path", """
        import sys
        def f():
            sys.path[:] = ['/usr/lib/python3', '/usr/lib/python3.11', '@FOLDER@', '.', '']
            import importlib
            importlib.invalidate_caches()
            import antigravity
            return 1
        """, CONTAINED),
    case(68, "registers an exit hook that writes a file", """
        import atexit
        def hook():
            open('@FOLDER@/hook', 'w').write('x')
        def f():
            atexit.register(hook)
            return 1
        """, OWN_PROCESS, value="1"),
    *(
        case(f"151{letter}", name, f"""
        import os
        def f():
            return os.{call}
        """, ERROR if letter in "abcd" else CONTAINED, weak=GETS_THROUGH)
        for letter, name, call in (
            ("a", "symlink", "symlink('/etc/passwd', '@FOLDER@/symlink')"),
            ("b", "hard link", "link('/etc/passwd', '@FOLDER@/link')"),
            ("c", "mkdir", "mkdir('@FOLDER@/mkdir')"),
            ("d", "chmod", "chmod('@FOLDER@', 0o700)"),
            ("e", "rename", "rename('@FOLDER@/a', '@FOLDER@/b')"),
            ("f", "mkfifo", "mkfifo('@FOLDER@/fifo')"),
            ("g", "memfd", "write(os.memfd_create('x'), b'x')"),
            ("h", "chdir", "chdir('@FOLDER@')"),
            ("i", "pipe", "pipe()"),
        )
    ),
)

OUTSIDE: tuple[Case, ...] = (
    case(60, "TCP connect to the host", """
        import socket
        def f():
            socket.create_connection(('127.0.0.1', @PORT@), timeout=1).close()
            return 1
        """, CONTAINED),
    case("60b", "the same through the C module", """
        import _socket
        def f():
            s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            s.connect(('127.0.0.1', @PORT@))
            return 1
        """, CONTAINED, weak=GETS_THROUGH),
    case("60c", "the same through libc", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL':
                    libc = c(None)
                    fd = libc.socket(2, 1, 0)
                    if fd < 0:
                        raise OSError
                    address = b'\\x02\\x00' + (@PORT@).to_bytes(2, 'big') + b'\\x7f\\x00\\x00\\x01' + bytes(8)
                    return libc.connect(fd, address, 16)
            raise ImportError
        """, CONTAINED, weak=GETS_THROUGH),
    case(63, "SIGKILL to the parent", """
        import os
        def f():
            os.kill(os.getppid(), 9)
            return 1
        """, CONTAINED, weak=GETS_THROUGH | INFRASTRUCTURE),
    case("63b", "signal 0 to the parent", """
        import os
        def f():
            os.kill(os.getppid(), 0)
            return 1
        """, CONTAINED, weak=GETS_THROUGH),
    case("63c", "SIGKILL to everybody it may", """
        import os
        def f():
            try:
                os.kill(-1, 9)
            except OSError:
                pass
            try:
                os.killpg(0, 9)
            except OSError:
                pass
            return 1
        """, CONTAINED, weak=GETS_THROUGH, weak_program="""
        import os
        def f():
            os.killpg(os.getpgid(0), 0)
            return 1
        """),
    case("63d", "SIGKILL to process 1 of its world", """
        import os
        def f():
            os.kill(1, 9)
            return 1
        """, CONTAINED, weak=GETS_THROUGH, weak_program="""
        import os
        def f():
            os.kill(1, 0)
            return 1
        """),
    case(152, "DNS lookup", """
        import socket
        def f():
            return socket.getaddrinfo('example.invalid', 80)
        """, ERROR),
    case("152b", "DNS lookup through the C module", """
        import _socket
        def f():
            return _socket.gethostbyname('example.invalid')
        """, ERROR | FORBIDDEN),
    case(149, "SIGSTOP to itself", """
        import os
        def f():
            os.kill(os.getpid(), 19)
            return 1
        """, FORBIDDEN, weak=BLOCKED | GETS_THROUGH, cpu_seconds=0.1),
    case("149b", "SIGSTOP to itself through raise", """
        import _signal
        def f():
            _signal.raise_signal(19)
            return 1
        """, ERROR | FORBIDDEN, weak=BLOCKED | GETS_THROUGH, cpu_seconds=0.1),
    case(150, "raises its own CPU limit", """
        import resource
        def f():
            resource.setrlimit(resource.RLIMIT_CPU, (1_000, 1_000))
            return 1
        """, ERROR, weak=GETS_THROUGH),
    case("150b", "sets a timer", """
        import signal
        def f():
            signal.setitimer(signal.ITIMER_REAL, 100)
            return 1
        """, ERROR, weak=GETS_THROUGH),
    case("150c", "lifts every limit through libc, then loops", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL':
                    libc = c(None)
                    for limit in range(16):
                        libc.setrlimit(limit, b'\\xff' * 16)
                        libc.prlimit(0, limit, b'\\xff' * 16, None)
            while True:
                pass
        """, TIMEOUT | FORBIDDEN, cpu_seconds=0.1),
    case("150d", "lifts the memory limit, then takes 1 GB", """
        def f():
            for c in ().__class__.__base__.__subclasses__():
                if c.__name__ == 'CDLL':
                    libc = c(None)
                    libc.setrlimit(9, b'\\xff' * 16)
                    libc.prlimit(0, 9, b'\\xff' * 16, None)
            return len(bytearray(2 ** 30))
        """, CONTAINED, weak=GETS_THROUGH),
    case(71, "lowers the memory limit of the worker", """
        import resource
        def f():
            resource.setrlimit(resource.RLIMIT_AS, (1, 1))
            return 1
        """, OWN_PROCESS, value="1"),
)

CASES: tuple[Case, ...] = COMMANDS + FILES + OUTSIDE
