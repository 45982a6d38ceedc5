"""The second wall: what the kernel can take away from the zygote before it ever forks a child.

Namespaces with an empty read-only root, Landlock, no capabilities, resource limits. Each function does one
thing and raises OSError where this machine does not allow it; the zygote decides by its orders whether
that is fatal. Linux only; runs in the zygote, never in the trainer.
"""

import ctypes
import os
import struct

from absolute_zero.executor import seccomp

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x0002_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
)  # fmt: skip
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 32, 0x4000, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


def _check(returned: int, call: str) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return returned


def _call(name: str, *arguments: object) -> int:
    target = seccomp.machine()
    if target is None:
        raise OSError(seccomp.ENOSYS, "no table of system calls for this processor")
    return _check(_libc.syscall(ctypes.c_long(seccomp.call_number(name, target.column)), *arguments), name)


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends. Raises OSError."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def no_new_privileges() -> None:
    """Give up new privileges: the filter and Landlock demand it, and set-user-id files become powerless."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def not_dumpable() -> None:
    """Write no core file, and let no other process of this user attach."""
    _prctl(_PR_SET_DUMPABLE, 0)


def enter_namespaces() -> None:
    """Enter new user, process, network, mount, ipc and host-name namespaces; the process one is for the children."""
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS
    _check(_libc.unshare(flags), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def empty_root() -> None:
    """Make an empty, read-only file system the root; the old one is detached."""
    _check(_libc.mount(None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount private")
    flags, options = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, b"size=4k,nr_inodes=2,mode=555"
    mount_point = b"/proc"  # any folder that is sure to exist; it is covered in this namespace only
    _check(_libc.mount(b"none", mount_point, b"tmpfs", ctypes.c_ulong(flags), options), "mount tmpfs")
    os.chdir(mount_point)
    # pivot_root(".", ".") lays the old root over the new one; detaching it leaves the new one alone.
    _call("pivot_root", b".", b".")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")
    remount = ctypes.c_ulong(flags | _MS_REMOUNT | _MS_RDONLY)
    _check(_libc.mount(b"none", b"/", None, remount, None), "remount read-only")


def landlock() -> int:
    """Deny every file, TCP port, outside signal and abstract socket that this kernel's Landlock knows.

    Returns its ABI version. Needs no privilege, only no-new-privs.
    """
    abi = _call("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint(1))
    files = (1 << (13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16)) - 1
    ports = 3 if abi >= 4 else 0  # bind, connect
    scopes = 3 if abi >= 6 else 0  # abstract sockets, signals
    fields = (files,) if abi < 4 else (files, ports) if abi < 6 else (files, ports, scopes)
    attributes = struct.pack(f"<{len(fields)}Q", *fields)
    ruleset = _call("landlock_create_ruleset", attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    try:
        _call("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)
    return abi


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets."""
    header = struct.pack("<Ii", 0x2008_0522, 0)
    _call("capset", header, bytes(24))


def close_other_descriptors(keep: int) -> None:
    """Close every descriptor but `keep`."""
    os.closerange(0, keep)
    os.closerange(keep + 1, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))
