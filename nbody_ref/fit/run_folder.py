"""The folder that a run writes to: one run at a time, with a log of what was printed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import TextIO

from nbody_ref.errors import FileError

__all__ = ["OutputFolder", "silence_output"]


TEMPORARY = re.compile(r"\..{1,40}\.[0-9a-f]{8}\.tmp")  # as `nbody_ref.files.write_atomically` names them


def silence_output() -> None:
    """Let what is printed from now on, and what Python flushes at its end, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(line: str) -> None:
    with contextlib.suppress(OSError):
        print(f"nbody-ref: {line}", file=sys.stderr, flush=True)


class OutputFolder:
    """A folder, made if it is not there and kept to one run, as a context manager.

    Parameters
    ----------
    path : path
    log : str, optional
        Name of the file that receives every line said.
    continues : str, optional
        Name of a file of an earlier run; where it is there, the run goes on and the log is continued.

    Raises
    ------
    FileError
        On entry: if the folder or the log cannot be made or written to, or another run is writing to the folder.

    Notes
    -----
    A log that cannot be written any more (a full disk), or a reader of the output that went away (``| head``), ends no
    run: it is said once on the error output. Temporary files that a killed run left are removed on entry.
    The lock is the operating system's own on the folder (flock): it leaves no file behind and ends with its process.
    Where there are no such locks (Windows, some network drives) nothing is locked.
    """

    def __init__(self, path: str | os.PathLike[str], log: str | None = None, continues: str | None = None) -> None:
        self.path = Path(path)
        self.lines: list[str] = []
        self._log_name, self._continues = log, continues
        self._log: TextIO | None = None
        self._lock = -1
        self._mute = False

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __enter__(self) -> OutputFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot make the folder {self.path}: {error.strerror or error}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise FileError(f"cannot write to the folder {self.path}: no permission")
        self._lock = _locked(self.path)
        for left in self.path.glob(".*.tmp"):
            if TEMPORARY.fullmatch(left.name):
                left.unlink(missing_ok=True)
        going_on = self._continues is not None and (self / self._continues).exists()
        if self._log_name is not None:
            try:
                self._log = open(self / self._log_name, "a" if going_on else "w", encoding="utf-8")
            except OSError as error:
                self._close()
                raise FileError(f"cannot write {self / self._log_name}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def say(self, line: str) -> None:
        """Print a line and keep it, in `lines` and in the log."""
        self.lines.append(line)
        if not self._mute:
            try:
                print(line, flush=True)
            except OSError as error:
                self._mute = True
                silence_output()
                _complain(f"the output cannot be written any more ({error.strerror or error}); the run goes on")
        if self._log is not None:
            try:
                print(line, file=self._log, flush=True)
            except OSError as error:
                self._close_log()
                _complain(f"cannot write {self / str(self._log_name)}: {error.strerror or error}; the run goes on")

    def remove(self, name: str) -> None:
        """Remove a file of an earlier run, if it is there."""
        try:
            (self / name).unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"cannot remove {self / name}: {error.strerror or error}") from error

    def _close_log(self) -> None:
        if self._log is not None:
            try:
                self._log.close()
            except OSError:  # said before, when the line was written
                pass
            self._log = None

    def _close(self) -> None:
        self._close_log()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of a folder, -1 where folders cannot be locked."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise FileError(f"another run is writing to the folder {path}: choose another one, or wait") from error
    except OSError:  # a drive without locks
        os.close(descriptor)
        return -1
    return descriptor
