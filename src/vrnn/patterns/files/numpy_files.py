"""Arrays in .npy and .npz files, and the pickled arrays of sketch-rnn's files, which are read without unpickling them."""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vrnn.patterns.files.drawing import MOST_POINTS, check_size

Array = NDArray[Any]
COLUMNS = "columns"  # the key in an .npz of what the columns of its arrays are called


def read_arrays(path: Path) -> dict[str, Array | list[Array]]:
    """Return the arrays in a file by name ("" in .npy); a list where an array holds arrays, as sketch-rnn's do.

    Raises:
        ValueError: Damaged, too large, or pickled objects other than arrays of numbers.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                check_size(path, path.stat().st_size)
                return {"": _read_array(file.read())}
            with zipfile.ZipFile(file) as archive:
                check_size(path, sum(member.file_size for member in archive.infolist()))
                members = [name for name in archive.namelist() if name.endswith(".npy")]
                return {name.removesuffix(".npy"): _read_array(archive.read(name)) for name in members}
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if str(error).startswith(f"{path}: expected"):
            raise
        cure = "save plain numbers with numpy.save or numpy.savez"
        raise ValueError(f"{path}: not a readable array file, or a pickled one ({error}): {cure}") from error


def take_columns(arrays: dict[str, Array | list[Array]]) -> tuple[str, ...] | None:
    """Take what the columns are called, texts under the key `columns`, out of a file's arrays; None where it is not there."""
    held = arrays.get(COLUMNS)
    if not isinstance(held, np.ndarray) or held.dtype.kind != "U":
        return None
    del arrays[COLUMNS]
    return tuple(map(str, held.ravel()))


def _read_array(content: bytes) -> Array | list[Array]:
    """Return one array of an .npy file."""
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        return PickledArrays(content[file.tell() :]).arrays(shape)
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > len(content):
        raise ValueError(f"its header says {shape}, but it holds fewer numbers")
    file.seek(0)
    array: Array = np.load(file, allow_pickle=False)
    return array


class PickledArrays(pickle._Unpickler):  # the one in Python: the one in C can be made to take any memory
    """Reads a pickle that holds numpy arrays of plain numbers, and refuses every other.

    Nothing that the pickle names is imported or called. The four names that numpy writes stand for the classes below, which
    take the parts of an array as data.
    """

    NAMES = ("_reconstruct", "ndarray", "dtype", "encode")

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name in the pickle."""
        known = module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs") and name in self.NAMES
        if not known:
            raise ValueError(f"it names {module}.{name}, which is no array of numbers")
        return {"_reconstruct": _Parts, "ndarray": None, "dtype": _Numbers, "encode": lambda *args: _encode(*args)}[
            name
        ]

    def arrays(self, shape: tuple[int, ...]) -> list[Array]:
        """Return the arrays in a one-dimensional array of them.

        Raises:
            ValueError: It holds something else.
        """
        try:
            outer = self.load()
        except ValueError:
            raise
        except Exception as error:  # a damaged pickle fails in any way
            raise ValueError(f"its pickle is damaged: {type(error).__name__}") from error
        held = outer.state[4] if isinstance(outer, _Parts) and len(outer.state) == 5 else None
        if len(shape) != 1 or not isinstance(held, list):
            raise ValueError("it holds objects, and no list of arrays")
        arrays, size = [], 0
        for part in held:
            if not isinstance(part, _Parts):
                raise ValueError(f"it holds a {type(part).__name__} where an array of numbers is expected")
            arrays.append(part.array())
            size += arrays[-1].size
            if size > 4 * MOST_POINTS:  # one array may be named many times
                raise ValueError(f"it holds more than {4 * MOST_POINTS:,} numbers")
        return arrays


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes that Python 2 wrote as text."""
    if encoding != "latin1" or not isinstance(text, str):
        raise ValueError(f"it holds bytes written as {encoding}")
    return text.encode("latin1")


class _Numbers:
    """A dtype of plain numbers, as it is pickled."""

    def __init__(self, code: str, *unused: object) -> None:
        if not isinstance(code, str) or code not in {k + s for k in "iuf" for s in "1248"} | {"b1", "O8"}:
            raise ValueError(f"it holds an array of {code}")
        self.code, self.order = code, "|"

    def __setstate__(self, state: Any) -> None:
        self.order = {"<": "<", ">": ">"}.get(state[1], "|")


class _Parts:
    """The parts of an array, as they are pickled: version, shape, dtype, whether in Fortran's order, bytes (or a list)."""

    def __init__(self, *unused: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> Array:
        """Return the array."""
        if len(self.state) != 5 or not isinstance(self.state[2], _Numbers) or self.state[2].code == "O8":
            raise ValueError("it holds objects within arrays")
        _, shape, numbers, fortran, raw = self.state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        flat = np.frombuffer(raw, dtype=np.dtype(numbers.order.replace("|", "") + numbers.code))
        return flat.reshape(shape, order="F" if fortran else "C")
