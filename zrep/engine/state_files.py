"""What is kept below <state_dir>, and may be closed to whoever asks: that is told, never taken for
emptiness.
"""

from __future__ import annotations

from pathlib import Path

from zrep.errors import ConfigError


def json_files(folder: Path) -> list[Path]:
    """Newest first, for their names begin with the run; none when there is no such folder.

    ConfigError when it may not be read.
    """
    try:
        return sorted((p for p in folder.iterdir() if p.suffix == ".json"), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        (f"state_dir: cannot read {path}: {error.strerror}",),
        next_step="run as the user that owns state_dir",
    )
