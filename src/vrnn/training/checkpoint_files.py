"""Files of checkpoints: written atomically, with a digest of what they hold, which every reader compares."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from torch import Tensor
from typing_extensions import override

from vrnn.errors import DamagedError
from vrnn.files import PART, write_atomically

logger = logging.getLogger(__name__)

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
CONTENT, SETTINGS = "content_digest", "settings_digest"
# What a run needs to continue, beside the weights.
TO_CONTINUE = ("loops", "callbacks", "optimizer_states", "lr_schedulers", "carried_state")


class RunCheckpointIO(TorchCheckpointIO):
    """Reads and writes the checkpoints of one run.

    A file is written beside its target, flushed to the disk, then renamed: a reader sees the old file or the new one,
    never a part. The `last` before the newest one is kept as `previous`.

    Args:
        settings_digest: Of the run's settings, which its checkpoints name.
    """

    def __init__(self, settings_digest: str):
        self.settings_digest = settings_digest

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write it; storage_options belong to remote file systems, which cannot rename atomically."""
        path = Path(path)
        signed = {**checkpoint, SETTINGS: self.settings_digest}
        signed[CONTENT] = content_digest(signed)
        if path.name == LAST and path.exists():
            _keep_as(path.with_name(PREVIOUS), path)
        write_atomically(path, lambda file: torch.save(signed, file))

    @override
    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return load_checkpoint(Path(path), self.settings_digest)


def _keep_as(kept: Path, path: Path) -> None:
    """Give a file a second name, so that it is never missing under the first; rename it where there are no hard links."""
    part = kept.with_name(f"{kept.name}.{secrets.token_hex(4)}{PART}")
    try:
        os.link(path, part)
        part.replace(kept)
    except OSError:
        path.replace(kept)


def content_digest(checkpoint: dict[str, Any]) -> str:
    """Return the SHA-256 of what a checkpoint holds, its own digest left out: the bytes of tensors, all else as text."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            digest.update(f"tensor {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        elif isinstance(value, dict):
            digest.update(f"dict {len(value)}".encode())
            for key, item in value.items():
                add(key)
                add(item)
        elif isinstance(value, list | tuple):
            digest.update(f"{'list' if isinstance(value, list) else 'tuple'} {len(value)}".encode())
            for item in value:
                add(item)
        else:
            digest.update(f"{type(value).__name__} {value!r} ".encode())

    add({key: value for key, value in checkpoint.items() if key != CONTENT})
    return digest.hexdigest()


def load_checkpoint(path: Path, settings_digest: str | None = None) -> dict[str, Any]:
    """Read a checkpoint and compare its digests. Those of version 0.1.0 have none.

    Args:
        path: The file.
        settings_digest: Of the settings that it must belong to; None: of any.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        DamagedError: The file is damaged, something else than a checkpoint, or one of other settings.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: train the run first, or name a run directory that has it.")
    repair = "put a copy in its place, use the other checkpoint, or start over with fresh=true."
    try:
        if _is_compressed(path):
            raise ValueError("torch compresses nothing: a few bytes could fill the memory")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise DamagedError(f"{path} cannot be read as a checkpoint: {repair}") from error
    weights = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise DamagedError(f"{path} must be a checkpoint with a state_dict of weights, but has none: {repair}")
    stored = [checkpoint.get(key) for key in (CONTENT, SETTINGS)]
    if stored == [None, None]:
        return checkpoint
    if stored[0] != content_digest(checkpoint):
        raise DamagedError(f"{path} is damaged: its content does not have the digest that it was saved with: {repair}")
    if settings_digest is not None and settings_digest not in str(stored[1]).split():
        raise DamagedError(f"{path} is of a run with other settings than this run's config.yaml: {repair}")
    return checkpoint


def accept_settings(path: Path, old: str, new: str) -> None:
    """Make a checkpoint one of other settings, too: those of the same run made longer.

    Args:
        path: The file.
        old: The digest of the settings that it belongs to.
        new: The digest of those that it will also belong to.

    Raises:
        DamagedError: As `load_checkpoint` does.
    """
    checkpoint = load_checkpoint(path, old)
    if SETTINGS not in checkpoint:  # of version 0.1.0
        return
    checkpoint[SETTINGS] = " ".join(dict.fromkeys([*checkpoint[SETTINGS].split(), new]))
    checkpoint[CONTENT] = content_digest(checkpoint)
    write_atomically(path, lambda file: torch.save(checkpoint, file))


def _is_compressed(path: Path) -> bool:
    """Return whether a file is an archive with compressed members."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())


def newest_checkpoint(directory: Path, settings_digest: str) -> Path | None:
    """Return the checkpoint from which a run continues: the last one, or, where it is damaged, the newest good one.

    Args:
        directory: Of the checkpoints.
        settings_digest: Of the run's settings.

    Returns:
        The file; None if there is no checkpoint.

    Raises:
        DamagedError: There are checkpoints, but none that can be used.
    """
    steps, errors = {}, []
    for name in (LAST, PREVIOUS, BEST):
        path = directory / name
        if not path.exists():
            continue
        try:
            steps[path] = _step_to_continue_from(path, settings_digest)
        except DamagedError as error:
            errors.append(error)
            continue
        if name == LAST:
            return path
    if not steps:
        if errors:
            raise errors[0]
        return None
    newest = max(steps, key=lambda path: steps[path])
    for damage in errors:
        logger.warning("%s", damage)
    logger.warning("The newest good checkpoint is used instead: %s, of step %d.", newest, steps[newest])
    return newest


def _step_to_continue_from(path: Path, settings_digest: str) -> int:
    checkpoint = load_checkpoint(path, settings_digest)
    missing = [key for key in TO_CONTINUE if key not in checkpoint]
    if missing or not isinstance(checkpoint.get("global_step"), int):
        raise DamagedError(
            f"{path} must hold all that a run needs to continue, but lacks {(missing or ['global_step'])[0]}: put a copy in "
            "its place, or start over with fresh=true."
        )
    step: int = checkpoint["global_step"]
    return step


def load_weights(module: torch.nn.Module, path: Path, prefix: str = "", settings_digest: str | None = None) -> None:
    """Load a checkpoint's weights into a module, or, with the prefix it has there, into a part of it.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        DamagedError: It cannot be read, holds another model's weights, or is of other settings than these.
    """
    weights = load_checkpoint(path, settings_digest)["state_dict"]
    logger.debug("%s: its weights are used.", path)
    try:
        module.load_state_dict({name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)})
    except RuntimeError as error:
        raise DamagedError(
            f"{path} holds the weights of another model than its run's config.yaml describes."
        ) from error
