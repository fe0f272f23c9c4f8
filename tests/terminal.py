"""A terminal for tests: a command in a real pseudo-terminal, and what its screen then shows."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b[78=>]|([\s\S])")


class Screen:
    """What a terminal shows of the text that is written to it, for the sequences that rich and tqdm use.

    Args:
        width: Columns.
        height: Rows.
    """

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.rows: list[list[str]] = [[]]  # all that was ever shown; the last `height` are on the screen
        self.row = self.column = 0
        self.has_cursor = True

    def feed(self, text: str) -> None:
        """Take in text, as a terminal gets it."""
        for arguments, command, character in TOKEN.findall(text):
            if command:
                self._control(arguments, command)
            elif character == "\r":
                self.column = 0
            elif character == "\n":
                self._down()
            elif character.isprintable() and character:
                self._put(character)

    def text(self) -> list[str]:
        """Return the rows on the screen."""
        return ["".join(row).rstrip() for row in self.rows[-self.height :]]

    def history(self) -> list[str]:
        """Return the rows that have scrolled away, and those on the screen."""
        return ["".join(row).rstrip() for row in self.rows]

    def _control(self, arguments: str, command: str) -> None:
        number = int(arguments) if arguments.isdecimal() else 1
        if command == "A":
            self.row = max(self.row - number, len(self.rows) - self.height, 0)
        elif command == "K":
            self.rows[self.row][0 if arguments == "2" else self.column :] = []
        elif arguments == "?25":
            self.has_cursor = command == "h"
        else:
            assert command == "m", f"the screen lacks {arguments}{command}"

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def _put(self, character: str) -> None:
        if self.column == self.width:
            self.column = 0
            self._down()
        row = self.rows[self.row]
        row.extend(" " * (self.column - len(row)))
        row[self.column : self.column + 1] = character
        self.column += 1


def run_in_terminal(
    command: Sequence[str],
    cwd: Path,
    width: int = 80,
    height: int = 24,
    watch: Callable[[Screen, subprocess.Popen], None] = lambda *_: None,
    **environment: str,
) -> tuple[Screen, int]:
    """Run a command in a pseudo-terminal to its end.

    Args:
        command: Its words.
        cwd: Its working directory.
        width: Columns of the terminal.
        height: Rows.
        watch: Called after each part of the output, with the screen and the process.
        environment: Variables that are added.

    Returns:
        The screen, and the exit code.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    kept = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    }
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        screen, rest = Screen(width, height), b""
        try:
            while part := _read(ours):
                text, rest = _whole(rest + part)
                screen.feed(text)
                watch(screen, process)
        finally:
            process.kill()
            os.close(ours)
    return screen, process.returncode


def _read(descriptor: int) -> bytes:
    """Return what there is to read; nothing once nobody writes any more."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def _whole(data: bytes) -> tuple[str, bytes]:
    """Return the text up to the last whole character and control sequence, and the bytes after it."""
    end = len(data)
    if unfinished := re.search(rb"(\x1b(\[[\d;?]*)?|[\xc0-\xff][\x80-\xbf]*)\Z", data):
        end = unfinished.start()
        try:
            data[end:].decode()
        except UnicodeDecodeError:
            return data[:end].decode(), data[end:]
        if data[end : end + 1] != b"\x1b":
            end = len(data)
    return data[:end].decode(), data[end:]
