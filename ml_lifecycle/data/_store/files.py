"""Where versions lie: blobs named by their hash, and one manifest a version that is written last."""

import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from ml_lifecycle.foundation import _files
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError, did_you_mean

SCHEMA = 1
STALE_SECONDS = 3600  # age from which a part that a killed process left is removed
FEWEST_DIGITS = 4  # of a prefix


def blob_path(root: Path, digest: str) -> Path:
    """Where a blob lies."""
    return root / "blobs" / f"{digest}.parquet"


def write_blob(root: Path, data: bytes) -> str:
    """Put bytes at the place that their hash names, unless they lie there whole; the hash."""
    digest = hashlib.sha256(data).hexdigest()
    path = blob_path(root, digest)
    if not (path.exists() and path.stat().st_size == len(data) and hashlib.sha256(path.read_bytes()).hexdigest() == digest):
        _files.write_bytes(path, data)
        _settle(path.parent)
    return digest


def read_blob(root: Path, digest: str, version: str) -> bytes:
    """The bytes, once their hash is found to be the one in the manifest."""
    path = blob_path(root, digest)
    try:
        data = path.read_bytes()
    except OSError:
        raise ProjectError(f"`version` must have its data in the store. Got {version}, whose file {path.name} is gone. "
                           "Commit the "
                           "data again.") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProjectError(f"`version` must have its data as they were committed. Got {version}, whose file {path.name} was "
                           "changed "
                           "since. Remove that file and commit the data again.")
    return data


def write_manifest(root: Path, version: str, manifest: dict[str, Any]) -> None:
    """The last write of a commit: from here on the version is there."""
    _files.write_text(root / "versions" / f"{version}.json", json.dumps(sealed(manifest), indent=1, ensure_ascii=False))
    _settle(root / "versions")


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with a hash of itself."""
    plain = {key: value for key, value in manifest.items() if key != "seal"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return {**plain, "seal": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def read_manifest(root: Path, version: str) -> dict[str, Any]:
    """The manifest, once it is found to be as it was written."""
    path = root / "versions" / f"{version}.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(manifest, dict) and sealed(manifest)["seal"] == manifest.get("seal")
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise ProjectError(f"`version` must have a manifest as it was written. Got {version}, whose {path.name} was changed "
                           "since. "
                           "Remove that file and commit the data again.")
    if manifest.get("schema") != SCHEMA:
        raise ProjectError(f"`version` must be of a store with schema {SCHEMA}. Got {shown(manifest.get('schema'))} in "
                           f"{path.name}. "
                           "Read it with the ml_lifecycle that wrote it.")
    return manifest


def all_versions(root: Path) -> list[str]:
    """The versions that are there whole."""
    return sorted(path.stem for path in (root / "versions").glob("*.json") if not path.name.startswith("."))


def resolve(root: Path, version: Any) -> str:
    """The version that a full name or a prefix means."""
    known = all_versions(root)
    if not isinstance(version, str) or not version.strip():
        raise BadInputError(f"`version` must be a version or the beginning of one. Got {shown(version)}. "
                            + (did_you_mean("", known, noun="Versions") or "The store is empty: commit data first."))
    version = version.strip().lower()
    if version in known:
        return version
    found = [one for one in known if one.startswith(version)]
    if len(found) > 1:
        raise BadInputError(f"`version` must mean one version. Got {version!r}, with which {len(found)} begin: "
                            f"{', '.join(found[:5])}. Write more of it.")
    if len(found) == 1 and len(version) >= FEWEST_DIGITS:
        return found[0]
    if found:
        raise BadInputError(f"`version` must have at least {FEWEST_DIGITS} digits. Got {version!r}. Write {found[0][:8]!r}.")
    raise UnknownNameError(f"`version` must be in the store. Got {version!r}. "
                           + (did_you_mean(version, known, noun="Versions") or "The store is empty: commit data first."))


def clean(root: Path) -> None:
    """Remove parts that killed processes left."""
    for path in [*root.glob("blobs/.*.part"), *root.glob("versions/.*.part")]:
        try:
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
        except OSError:  # another process was faster
            continue


def _settle(folder: Path) -> None:
    """Make a rename last through a loss of power, where the system can: the version is there either way."""
    with contextlib.suppress(OSError):
        _files.settle(folder)
