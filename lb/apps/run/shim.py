"""The one process between an app and the engine: it starts the app's command, is there when it ends, and ends it all.

    DIRECTORY/instance.json   what it is, written before the app begins
    DIRECTORY/ctl             its socket: stat, tail, term, kill, wait
    DIRECTORY/exit.json       how it ended, written when nothing of the app is left

It always reads both pipes (an app that blocks in `print` hangs), and reaps whatever the app leaves behind. It knows
nothing of deploys, doors or health. Standard library alone, and nothing is loaded after the start.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time

from lb.apps.run import process_tree
from lb.apps.run.exit_words import exit_sentence
from lb.apps.run.log_lines import LineCutter, LineRate
from lb.apps.run.log_writer import LogWriter
from lb.apps.run.shim_child import AppProcess, adopt_orphans
from lb.apps.run.shim_control import VERSION, ShimControl
from lb.apps.run.shim_watch import ProcessWatch, in_words

TYPE_CHECKING = False  # as typing's own, which would be an eighth of the shim's memory
if TYPE_CHECKING:
    from typing import Any

_CHUNK = 65536
_TICK = 1.0
_TAIL = 200  # lines that are kept for those who ask why
_SWALLOWED = 1.0  # seconds after which the shell itself is told, if its command is gone and it stays
_HOURLY = 3600.0
_DRAIN = 16  # reads of a pipe at a time, and how often what is left is looked for before it is given up
_SLOWEST = 0.2


class Shim:
    """One app from its start to its end."""

    def __init__(self, directory: str, order: dict[str, Any]) -> None:
        self._directory = directory
        self._order = order
        self._selector = selectors.DefaultSelector()
        log = order["log"]
        self._writer = LogWriter(log["directory"], log["name"], order["id"], log["tag"], (log["keep"], log["size"]))
        self._rate = LineRate(log["rate"])
        self._cutters = {"out": LineCutter(log["line"]), "err": LineCutter(log["line"])}
        self._tail: list[str] = []
        self._asked = False
        self._told = False  # by a signal
        self._cause, self._detail = "", ""
        self._deadline: float | None = None
        self._terminated: list[int] = []  # what a shell had started when it was to end
        self._quiet_since: float | None = None  # that is gone, and the shell is not
        self._status: int | None = None  # of waitpid
        self._next_tick, self._next_hour = 0.0, time.monotonic() + _HOURLY
        self._control = ShimControl(f"{directory}/ctl", self._selector, self._answer)
        self._wakeups, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> None:
        """Starts the app, says that it did, and returns when nothing of it is left."""
        self._listen_for_signals()
        self._child = AppProcess(self._order)
        limits = self._order["limits"]
        self._watch = ProcessWatch(os.getpid(), limits, limits.get("paths", []))
        for stream, pipe in (("out", self._child.out), ("err", self._child.err)):
            self._selector.register(
                pipe, selectors.EVENT_READ, lambda stream=stream, pipe=pipe: self._read(stream, pipe)
            )
        main = {"pid": self._child.pid, "start": process_tree.start_time(self._child.pid)}
        record = {"v": VERSION, "facts": self._order["facts"], "shim": _self(), "main": main}
        if not _save(f"{self._directory}/instance.json", record):
            self._deadline = time.monotonic()  # nobody would ever find it
        _say_ready()
        self._say("started" if not self._child.error else f"could not be started: {self._child.error}")
        while self._status is None:
            self._round()
        self._finish()

    def _listen_for_signals(self) -> None:
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._selector.register(self._wakeups, selectors.EVENT_READ, self._reap)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._note)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _note(self, *_: object) -> None:
        self._told = True

    # One round of the loop.

    def _round(self) -> None:
        now = time.monotonic()
        due = [moment for moment in (self._next_tick, self._deadline, self._rate.due()) if moment is not None]
        for key, _ in self._selector.select(max(min(due) - now, 0.0)):
            key.data()
        now = time.monotonic()
        if self._told:
            self._told = False
            self._terminate(self._order["grace"])
        if now >= self._next_tick:
            self._next_tick = now + _TICK
            self._tick(now)
        self._report(now)
        if self._deadline is not None and now >= self._deadline:
            self._deadline = now + _TICK  # again, until it is gone
            self._kill_all()

    def _tick(self, now: float) -> None:
        self._reap()
        self._watch.count(now)
        if self._watch.warn:
            self._say(self._watch.warn)
            self._watch.warn = ""
        if self._watch.over and not self._cause:
            self._end_for(self._watch.over, self._watch.detail)
        if self._asked:
            self._wake_shell(now)
        if now >= self._next_hour:
            self._next_hour = now + _HOURLY
            self._writer.tick(time.time())

    def _reap(self) -> None:
        try:
            while os.read(self._wakeups, 4096):
                pass
        except OSError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child.pid:
                self._status = status

    # What the app writes.

    def _read(self, stream: str, pipe: int) -> None:
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(stream, self._cutters[stream].feed(data))
            return
        self._selector.unregister(pipe)
        self._take(stream, self._cutters[stream].end())

    def _take(self, stream: str, lines: list[str]) -> None:
        if not lines:
            return
        now = time.monotonic()
        self._report(now)
        self._tail = (self._tail + lines[-_TAIL:])[-_TAIL:]
        taken = self._rate.take(len(lines), now)
        if taken:
            self._writer.write(stream, lines[:taken], time.time())

    def _report(self, now: float, *, at_once: bool = False) -> None:
        words = self._rate.report(now, at_once=at_once)
        if words:
            self._say(words)

    def _say(self, words: str) -> None:
        self._writer.write("lb", [words], time.time())

    # The end.

    def _terminate(self, grace: float) -> None:
        """SIGTERM to the app, and the end of it all after `grace` seconds. Asked twice, the earlier end counts."""
        deadline = time.monotonic() + max(grace, 0.0)
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        if self._asked:
            return
        self._asked = True
        main = self._main()
        self._terminated = process_tree.descendants(main) if self._order.get("shell") else []
        for pid in self._terminated or [main]:
            _signal(pid, signal.SIGTERM)

    def _wake_shell(self, now: float) -> None:
        """A shell that goes on to its next command is told itself; before, it would not have waited for the app."""
        main = self._main()
        below = process_tree.descendants(main)
        if not self._order.get("shell") or set(below) & set(self._terminated):
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= _SWALLOWED:
            for pid in (main, *below):
                _signal(pid, signal.SIGTERM)

    def _main(self) -> int:
        """The app's own process: below the wrappers of the sandbox, none of which passes a signal on."""
        pid = self._child.pid
        for _ in range(self._order.get("wrappers", 0)):
            below = process_tree.children(pid)
            if not below:
                break
            pid = below[0]
        return pid

    def _end_for(self, cause: str, detail: str) -> None:
        self._cause, self._detail = cause, detail
        self._deadline = time.monotonic()

    def _kill_all(self) -> None:
        """All at once: those who would fork again are stopped first. The group, the namespace, the cgroup."""
        found = process_tree.all_descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                _signal(pid, number)
        for group in self._order.get("cgroups", ()):
            _write(f"{group}/cgroup.kill", "1")

    def _finish(self) -> None:
        """Ends what is left, takes what the pipes still hold, writes down how it was."""
        left = self._end_the_rest()
        for stream, pipe in (("out", self._child.out), ("err", self._child.err)):
            for _ in range(_DRAIN):
                if pipe not in self._selector.get_map():
                    break
                self._read(stream, pipe)
            else:
                self._take(stream, self._cutters[stream].end())
        self._report(time.monotonic(), at_once=True)
        record = self._record(left)
        self._say(_words(record))
        self._writer.close()
        _save(f"{self._directory}/exit.json", record)
        self._control.tell({"v": VERSION, "ok": True, "exit": record})

    def _end_the_rest(self) -> int:
        """How many had outlived the main process."""
        left = [pid for pid in process_tree.all_descendants(os.getpid()) if not process_tree.is_zombie(pid)]
        pause = 0.001
        for _ in range(_DRAIN * 4):
            self._kill_all()
            self._reap()
            if not process_tree.all_descendants(os.getpid()):
                break
            time.sleep(pause)  # they are killed already; the kernel tells of children only, and these are not all ours
            pause = min(pause * 2, _SLOWEST)
        return 0 if self._order.get("wrappers") else len(left)  # a sandbox ends with its app, and may be seen at it

    def _record(self, left: int) -> dict[str, Any]:
        status, number = _decode(self._status or 0, wrapped=self._order.get("wrappers", 0) > 0)
        if self._child.error:
            self._cause, self._detail = "start", self._child.error
        elif not self._cause and any(_memory_kills(group) for group in self._groups()):
            memory = self._order["limits"].get("cgroup_memory", 0)
            self._cause, self._detail = "memory", in_words(memory) if memory else ""
        return {
            "v": VERSION, "status": status, "signal": number, "asked": self._asked, "cause": self._cause,
            "detail": self._detail, "left": left, "lines": self._tail, "at": time.time(),
        }  # fmt: skip

    def _groups(self) -> list[str]:
        """The cgroups whose memory the kernel bounds: those made for the app, or the scope that the shim is in too."""
        groups = list(self._order.get("cgroups", ()))
        if self._order.get("scope"):
            own = process_tree.read("/proc/self/cgroup").decode()
            groups += [f"{self._order['scope']}{line[3:]}" for line in own.splitlines() if line.startswith("0::")]
        return groups

    # What is asked.

    def _answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        what = request["do"]
        if what == "wait":
            return None
        if what == "stat":
            return self._statistics()
        if what == "tail":
            return {"ok": True, "lines": self._tail[-int(request.get("count", 20)) :]}
        if what == "term":
            self._terminate(float(request.get("grace", self._order["grace"])))
            return {"ok": True}
        if what == "kill":
            self._asked = True
            self._deadline = time.monotonic()
            return {"ok": True}
        return {"ok": False, "error": f"unknown request: {what}"}

    def _statistics(self) -> dict[str, Any]:
        return {
            "ok": True, "token": self._order["facts"]["token"], "main": self._main(), "asked": self._asked,
            "lines": self._rate.passed, "dropped": self._rate.dropped, "files": self._watch.files,
            "memory_high": self._watch.memory_high, "pids": process_tree.descendants(os.getpid()),
        }  # fmt: skip


def main(directory: str) -> None:
    """Reads the order, leaves the engine (a new session, no parent that it knows), and runs."""
    order = json.load(sys.stdin)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    _write("/proc/self/comm", f"lb-shim {order['log']['name']}"[:15])
    adopt_orphans()
    Shim(directory, order).run()


def _say_ready() -> None:
    """The engine waits for this line; then the standard streams are let go of."""
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def _self() -> dict[str, Any]:
    return {"pid": os.getpid(), "start": process_tree.start_time(os.getpid()), "boot": process_tree.boot_id()}


def _decode(status: int, *, wrapped: bool) -> tuple[int | None, int | None]:
    """Exit status or signal; a sandbox's wrapper reports the app's signal as 128 and more."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return None, -code
    return (None, code - 128) if wrapped and code > 128 else (code, None)


def _words(record: dict[str, Any]) -> str:
    """The log's line on an exit; an end by SIGTERM that was asked for is no fault."""
    asked = bool(record["asked"])
    if asked and not record["cause"] and record["signal"] == signal.SIGTERM:
        return "ended at SIGTERM, as it was told to"
    how = exit_sentence(
        record["status"], record["signal"], record["cause"], record["detail"], asked=asked, left_foreground=False
    )
    return f"{how}, as it was told to end" if asked and record["signal"] is None else how


def _memory_kills(group: str) -> bool:
    for line in process_tree.read(f"{group}/memory.events").splitlines():
        if line.startswith(b"oom_kill ") and line.split()[1] != b"0":
            return True
    return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError:
        return


def _save(path: str, record: dict[str, Any]) -> bool:
    """Whole or not at all, also if the machine stops now. A full disk must not keep the shim from its work."""
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}.new", path)
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}\n")
        return False
    return True
