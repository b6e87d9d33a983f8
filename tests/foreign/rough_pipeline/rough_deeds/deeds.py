"""What a step may do to those who run it. Each returns what it did, if it can."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def nothing() -> str:
    """Behave."""
    return "nothing"


never_ask = ask_where_it_was = nothing


def talk() -> str:
    """Print, and write what looks like an order to wherever that is possible."""
    print("a word on stdout, said aloud: Grüße")
    sys.stderr.write("a word on stderr\n")
    subprocess.run(["echo", "a word of a child"], check=True)
    for descriptor in range(1, 64):
        try:
            os.write(descriptor, b'{"ended": "all", "status": 0}\n')
        except OSError:
            continue
    return "talked"


def leave_a_child() -> str:
    """Leave a process behind."""
    return str(subprocess.Popen(["sleep", "600"]).pid)


def leave_a_daemon() -> str:
    """Leave a process behind that has left the session."""
    return str(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)


def leave_a_thread() -> str:
    """Leave a thread behind that never ends."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    return "threaded"


def tell_environment() -> str:
    """Give away everything in the environment."""
    return json.dumps(dict(os.environ))


def tell_stdin() -> str:
    """Wait for somebody to type."""
    return f"{sys.stdin.read()!r}"


def take_names() -> str:
    """Write files that are called like those of a record."""
    for name in ("log.txt", "usage_metrics.jsonl", "activity_overview.json", "row.json"):
        Path(name).write_text("the pipeline's own\n", encoding="utf-8")
    print("said to the log")
    return "taken"


def clear_up() -> str:
    """Remove the directory it works in, and make it again."""
    place = Path.cwd()
    os.chdir("/")
    shutil.rmtree(place)
    place.mkdir()
    return "cleared"


def exit_at_once() -> str:
    """End the process without a word."""
    os._exit(7)


def exit_as_if_well() -> str:
    """End the process as if all were well."""
    os._exit(0)


def leave() -> str:
    """Raise what ends a program."""
    sys.exit("it is late: 日暮れ")


def want_memory() -> str:
    """Ask for more memory than any machine gives."""
    return str(len(bytearray(1 << 60)))


def break_down() -> str:
    """Raise with text that not every file can hold."""
    raise ValueError("kaputt: größer als \U0001f40d, und \udce4 dazu")


class UnspeakableError(Exception):
    """An error that cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def break_down_unspeakably() -> str:
    """Raise an error whose text cannot be had."""
    raise UnspeakableError


def crash() -> str:
    """Die of a signal."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return "immortal"


def block_the_output() -> str:
    """Put a directory where the output is to go."""
    Path("done.txt").mkdir()
    return "in the way"
