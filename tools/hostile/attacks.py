"""What hostile code tries: snippets by kind. Each is tried at import, in a cell, in a child.

`T` is what the code knows of its targets; `got` keeps what it could read, `RUN` runs a program.
"""

# ruff: noqa: E501 - the lines are those of the attacks.

from __future__ import annotations

from collections.abc import Mapping

from tools.hostile.file_attacks import READS, WRITES

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
