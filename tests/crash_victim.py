"""A process that does jobs in forks of itself, each of which may be killed at any moment.

It reads a job a line, as JSON, and says what it does a line, as JSON. See :class:`Victim` for the
other side.
"""

import functools
import json
import os
import signal
import subprocess
import sys

import crash_history
from crash_history import Change
from fresh import PATHS

import compactmask as cm
from compactmask.formats import disk

CHANGING = ("create", "write", "truncate", "sync", "sync_folder", "replace", "link", "remove")


class Victim:
    """What makes jobs run, hears what they say, and kills them."""

    def __init__(self):
        paths = os.pathsep.join(map(str, PATHS))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._pid = 0

    def start(self, job, **arguments):
        """Begin a job in a process of its own."""
        self._answer(json.dumps([job, arguments]))
        self._pid = self.hear()["pid"]

    def hear(self):
        """Wait for the next thing that the job says; the last one has `status`."""
        line = self._process.stdout.readline()
        assert line, "the process of the victims has died"
        return json.loads(line)

    def go_on(self):
        """Let a job go on that waits at each system call."""
        self._answer("")

    def kill(self):
        """Kill the job, or what is left of it, as nobody but this reaps it."""
        os.kill(self._pid, signal.SIGKILL)

    def reap(self):
        """Give all that the job has said and was not heard, and the status that it ended with."""
        self._answer("")
        said = [self.hear()]
        while "status" not in said[-1]:
            said.append(self.hear())
        return said[:-1], said[-1]["status"]

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(60) == 0

    def _answer(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def serve():
    """Fork for each job, and wait for its end."""
    while line := read_line():
        pid = os.fork()
        if pid == 0:
            say(pid=os.getpid())
            do(*json.loads(line))
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        read_line()
        say(status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def do(job, arguments):
    try:
        JOBS[job](**arguments)
        say(ended=job)
    except BaseException as error:
        say(error=repr(error))
        raise
    finally:
        os._exit(0)


def say(**what):
    """Say it at once, or not at all."""
    os.write(1, json.dumps(what).encode() + b"\n")


def read_line():
    """Read a line, and nothing behind it: that is for others."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def write(path, done, *, checkpoint_bytes, has_child=False, close=True, **options):
    """Create a file, or go on with it, make changes and close it."""
    crash_history.use_tiny_chunks(setattr, checkpoint_bytes)
    with_notice("create", lambda: OUT.append(cm.create(path, **options)))
    if has_child:
        say(child=fork_one_that_waits())
    for change in done:
        change = Change(*change)
        with_notice(change.kind, functools.partial(crash_history.apply, change, OUT[0]))
    if close:
        with_notice("close", OUT[0].close)


OUT = []


def with_notice(what, work):
    say(begin=what)
    work()
    say(did=what)


def fork_one_that_waits():
    """Fork a process that holds all that this one has, for a while."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        signal.pause()
    return pid


def step(**arguments):
    """Write, and wait after each system call that changes a file until one may go on."""
    for name in CHANGING:
        setattr(disk, name, waiting(getattr(disk, name)))
    write(**arguments)


def waiting(function):
    def run(*arguments):
        result = function(*arguments)
        say(call=function.__name__)
        assert read_line() == b"\n"
        return result

    return run


def repack(src, dst, overwrite):
    with_notice("repack", lambda: cm.repack(src, dst, overwrite=overwrite))


JOBS = {function.__name__: function for function in (write, step, repack)}

if __name__ == "__main__":
    serve()
