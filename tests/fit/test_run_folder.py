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


def test_a_full_disk_ends_no_run_and_is_said_once(tmp_path, monkeypatch, capsys):
    complaints = []
    with OutputFolder(tmp_path, log="log.txt") as folder:
        true_print = builtins.print

        def full(*arguments, file=None, **options):
            if file is sys.stderr:
                return complaints.append(arguments[0])
            elif file is not None:
                raise OSError(errno.ENOSPC, "No space left on device")
            true_print(*arguments, **options)

        monkeypatch.setattr(builtins, "print", full)
        folder.say("line")
        folder.say("another")
        assert folder.lines == ["line", "another"]
    captured = capsys.readouterr()
    assert captured.out == "line\nanother\n" and captured.err == "" and len(complaints) == 1
    assert "log.txt: No space left on device; the run goes on" in complaints[0]


def test_what_a_killed_run_left_is_removed_and_its_log_continued(tmp_path):
    for name in (".training.checkpoint.0123abcd.tmp", "checkpoint", ".mine.tmp", "x.0123abcd.tmp"):
        (tmp_path / name).write_text("")
    (tmp_path / "log.txt").write_text("first part\n")
    with OutputFolder(tmp_path, log="log.txt", continues="checkpoint") as folder:
        folder.say("second part")
    assert (tmp_path / "log.txt").read_text() == "first part\nsecond part\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".mine.tmp", "checkpoint", "log.txt", "x.0123abcd.tmp"]
    with OutputFolder(tmp_path, log="log.txt", continues="nothing") as folder:
        folder.say("anew")
    assert (tmp_path / "log.txt").read_text() == "anew\n"


def test_a_reader_that_goes_away_ends_no_run(tmp_path):
    code = (
        "import os, sys; from nbody_ref.fit.run_folder import OutputFolder\n"
        "with OutputFolder(sys.argv[1], log='log.txt') as folder:\n"
        "    for i in range(2000): folder.say(f'line {i} ' + 'x' * 200)\n"
        "print('ignored')\n"
    )
    command = f'{sys.executable} -c "$CODE" {tmp_path} | head -1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], env=os.environ | {"CODE": code}, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "0" and "the run goes on" in done.stderr
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 2000


def test_files_of_an_earlier_run_are_removed_and_folders_are_not(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    with OutputFolder(tmp_path) as folder:
        folder.remove("old.json")
        folder.remove("never.json")
        with pytest.raises(FileError, match=r"cannot remove .*sub"):
            folder.remove("sub")
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]
