"""The folder of a run: one run at a time, and every way in which it cannot be written to is one sentence."""

import builtins
import errno
import os
import subprocess
import sys

import pytest

from nbody_ref.errors import FileError
from nbody_ref.fit.run_folder import OutputFolder


def test_lines_are_printed_and_kept_in_the_log_and_in_memory(tmp_path, capsys):
    with OutputFolder(tmp_path / "a" / "b", log="log.txt") as folder:
        folder.say("one")
        assert (folder / "log.txt").read_text() == "one\n"  # at once, not at the end
        folder.say("two")
    assert folder.lines == ["one", "two"] and capsys.readouterr().out == "one\ntwo\n"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["log.txt"]


def test_a_second_run_is_refused_while_the_first_one_writes_and_taken_afterwards(tmp_path):
    with OutputFolder(tmp_path, log="log.txt") as first:
        first.say("mine")
        with pytest.raises(FileError, match=r"another run is writing to the folder .*choose another"):
            with OutputFolder(tmp_path, log="log.txt"):
                pytest.fail("entered")
        assert (tmp_path / "log.txt").read_text() == "mine\n"
    with OutputFolder(tmp_path, log="log.txt"):
        assert (tmp_path / "log.txt").read_text() == ""


def test_the_lock_ends_with_its_process(tmp_path):
    code = (
        "import os, sys; from nbody_ref.fit.run_folder import OutputFolder\n"
        "OutputFolder(sys.argv[1]).__enter__(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9
    with OutputFolder(tmp_path):
        pass


def test_what_is_no_folder_or_no_log_is_a_file_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot make the folder"):
        OutputFolder(tmp_path / "file").__enter__()
    (tmp_path / "d" / "log.txt").mkdir(parents=True)
    with pytest.raises(FileError, match=r"cannot write .*log.txt: Is a directory"):
        OutputFolder(tmp_path / "d", log="log.txt").__enter__()
    with OutputFolder(tmp_path / "d"):  # and the lock was given back
        pass


def test_a_folder_without_permission_is_a_file_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may do anything
    with pytest.raises(FileError, match=r"cannot write to the folder .*: no permission"):
        OutputFolder(tmp_path).__enter__()


def test_a_full_disk_is_a_file_error(tmp_path, monkeypatch):
    with OutputFolder(tmp_path, log="log.txt") as folder:
        true_print = builtins.print

        def full(*arguments, file=None, **options):
            if file is not None:
                raise OSError(errno.ENOSPC, "No space left on device")
            true_print(*arguments, **options)

        monkeypatch.setattr(builtins, "print", full)
        with pytest.raises(FileError, match=r"log.txt: No space left on device"):
            folder.say("line")


def test_files_of_an_earlier_run_are_removed_and_folders_are_not(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    with OutputFolder(tmp_path) as folder:
        folder.remove("old.json")
        folder.remove("never.json")
        with pytest.raises(FileError, match=r"cannot remove .*sub"):
            folder.remove("sub")
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]
