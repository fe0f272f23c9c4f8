"""Tables of text: which character separates the columns, which marks the decimals, and whether a header names them."""

from __future__ import annotations

import csv
import logging
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import check_size

logger = logging.getLogger(__name__)

LONGEST_LINE = 1_000_000  # characters
SAMPLE = 200  # lines that are looked at to find the delimiter
MISSING = ("", "nan", "na", "n/a", "null", "none")
SPACE, SINGLE = " ", ""  # columns separated by white space; one column alone
LAYOUTS = [(d, m) for d in (";", "\t", ",", SPACE, SINGLE) for m in (".", ",") if (d, m) != (",", ",")]


class Table:
    """A table of text (.csv, .tsv, .txt) in UTF-8 or UTF-16.

    The delimiter is a comma, a semicolon, a tab or white space, the decimal mark a point or a comma: those are taken under
    which most cells of the first lines are numbers. Lines without anything in them are left out, and so are comments (#). A
    row of empty cells is a row; of a single column so is a blank line between two others.

    Attributes:
        names: What the header calls the columns, or None without a header.
        width: The number of columns.

    Raises:
        ValueError: No text, an empty file, too large, or a line that is too long.
    """

    def __init__(self, path: Path) -> None:
        check_size(path, path.stat().st_size)
        self.path = path
        with path.open("rb") as file:
            self._encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        sample = list(islice((line for line in self._lines() if line[1]), SAMPLE))
        if not sample:
            raise ValueError(f"{path}: the file is empty")
        self.delimiter, self.decimal = self._layout(sample)
        (self.first, head), *rows = [(number, self._split(line)) for number, line in sample]
        self.width = len(head)
        self.names = [cell.strip() for cell in head] if self._is_header(head, [row for _, row in rows]) else None

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines but for comments, with their numbers, counted from 1; blank ones as ""."""
        try:
            with self.path.open(newline="", encoding=self._encoding) as file:
                number = 0
                while line := file.readline(LONGEST_LINE + 1):
                    number += 1
                    if len(line) > LONGEST_LINE:
                        raise ValueError(
                            f"{self.path}, row {number}: expected at most {LONGEST_LINE:,} characters in a line, got more"
                        )
                    # White space at the ends holds no cells, but tabs alone are a row of empty ones.
                    text = line.strip(" \r\n")
                    if not text.startswith(("#", "sep=")):
                        yield number, text
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}: not readable as comma-separated UTF-8 text: {error}") from error

    def _split(self, line: str, delimiter: str | None = None) -> list[str]:
        delimiter = self.delimiter if delimiter is None else delimiter
        if delimiter == SINGLE:
            quoted = len(line) > 1 and line[0] == line[-1] == '"'
            return [line[1:-1].replace('""', '"') if quoted else line]
        if delimiter == SPACE:
            return line.split()
        if '"' not in line:
            return line.split(delimiter)
        try:
            return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except (csv.Error, StopIteration) as error:
            raise ValueError(f"{self.path}: not readable as comma-separated UTF-8 text: {error}") from error

    def _layout(self, sample: list[tuple[int, str]]) -> tuple[str, str]:
        """Return the delimiter and the decimal mark under which most cells below the first line are numbers."""
        lines = [line for _, line in sample]
        best, found = 0.0, (",", ".")
        for delimiter, mark in LAYOUTS:
            rows = [self._split(line, delimiter) for line in lines]
            widths = [len(row) for row in rows]
            usual = max(set(widths), key=widths.count)
            if delimiter != SINGLE and usual < 2:
                continue
            cells = [cell for row in (rows[1:] or rows) if len(row) == usual for cell in row]
            good = sum(self._number(cell, mark) is not None for cell in cells) / max(1, len(cells))
            # Rows of another width count against a layout, and so does a first line (a header) that is not as wide.
            score = good * widths.count(usual) / len(widths) * (1.0 if widths[0] == usual else 0.5)
            if score > best + 1e-9:
                best, found = score, (delimiter, mark)
        return found

    def _number(self, cell: str, mark: str | None = None) -> float | None:
        """Return a cell's number, NaN for a missing one, or None if it is neither."""
        text = cell.strip()
        if text.lower() in MISSING:
            return np.nan
        try:
            return float(text.replace(",", ".") if (mark or self.decimal) == "," else text)
        except ValueError:
            return None

    def _is_header(self, head: list[str], rows: list[list[str]]) -> bool:
        """Return whether the first row names the columns; a row 0, 1, … may be pandas' names of columns without any."""
        if any(self._number(cell) is None for cell in head):
            return True
        counted = [str(i) for i in range(len(head))]
        index = [cell.strip() for cell in head] == ["", *counted[:-1]]
        if not rows or not (index or [cell.strip() for cell in head] == counted) or len(head) < 2:
            return False
        whole = all(cell.strip().lstrip("+-").isdigit() for row in rows for cell in row if cell.strip())
        taken = "as numbers: remove it if it is a header" if whole and not index else "as a header"
        row = self.delimiter.join(head)
        logger.warning(
            "%s, row %d: %s may be a header or numbers. It is taken %s. Name the columns to be sure.",
            self.path,
            self.first,
            row,
            taken,
        )
        return taken == "as a header"

    def _rows(self) -> Iterator[tuple[int, str]]:
        """Yield the lines below the header. Of a single column a blank line between two rows is an empty cell."""
        is_header, begun, blank = self.names is not None, False, list[tuple[int, str]]()
        for number, line in self._lines():
            if not line:
                blank.append((number, line))
                continue
            if begun and self.delimiter == SINGLE:
                yield from blank
            blank.clear()
            if not is_header:
                begun = True
                yield number, line
            is_header = False

    def columns(self, numbers: Sequence[int], texts: Sequence[int] = ()) -> Columns:
        """Read columns.

        Args:
            numbers: Which columns to read as numbers, counted from 0.
            texts: Which columns to read as text.

        Raises:
            ValueError: A row of another width, or a cell that is neither a number nor missing.
        """
        values, rows = array("d"), array("q")
        read: list[list[str]] = [[] for _ in texts]
        for number, line in self._rows():
            cells = self._split(line)
            if len(cells) != self.width:
                cure = "; name x and y in a header to have other columns too" if self.names is None else ""
                raise ValueError(
                    f"{self.path}, row {number}: expected {self.width} columns, got {len(cells)}: {_short(cells)}{cure}"
                )
            for column in numbers:
                value = self._number(cells[column])
                if value is None:
                    raise ValueError(f"{self.path}, row {number}: expected a number, got {cells[column]!r}")
                values.append(value)
            rows.append(number)
            for column, cells_of_it in zip(texts, read, strict=True):
                cells_of_it.append(cells[column].strip())
        shape = (len(rows), len(numbers))
        return Columns(
            np.frombuffer(values, dtype=np.float64).reshape(shape), np.frombuffer(rows, dtype=np.int64), read
        )


class Columns:
    """Columns of a table.

    Attributes:
        values: (T, k) numbers, NaN where a cell is empty or says that it is missing.
        rows: (T,) line numbers in the file, counted from 1.
        texts: The columns read as text.
    """

    def __init__(self, values: NDArray[np.float64], rows: NDArray[np.int64], texts: list[list[str]]) -> None:
        self.values, self.rows, self.texts = values, rows, texts


def _short(cells: list[str]) -> str:
    return str(cells) if len(cells) <= 8 else f"{str(cells[:8])[:-1]}, …]"
