"""Fetching a file from the web: resumed where it broke off, checked, and in place all at once."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, Callable, Optional

from dynotes.corpora.errors import InputError, PathLike, whole_number

BLOCK = 1 << 16
PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may soon do better
Progress = Callable[[int, Optional[int]], Any]


class _Dropped(Exception):
    """The connection failed in a way that another attempt may mend."""


def download(
    url: str,
    path: PathLike,
    sha256: str,
    *,
    timeout: float = 30.0,
    retries: int = 4,
    pause: float = 1.0,
    progress: Optional[Progress] = None,
) -> None:
    """Bring a file to ``path``, which exists afterwards only if its SHA-256 is right.

    The bytes gather in ``path + ".part"``, which the next attempt, or the next call, continues.

    Args:
        url: http or https.
        path: where the file goes; its folder must exist.
        sha256: the expected digest, 64 hexadecimal digits.
        timeout: seconds of silence after which a connection counts as dropped.
        retries: how many further attempts follow a dropped connection.
        pause: seconds before the first further attempt; doubled for each one after it.
        progress: called with (bytes so far, bytes in all or None).

    Raises:
        InputError: not found, refused, dropped too often, wrong checksum (the part is deleted),
            disk full, or ``path`` is there already with other content.
        ValueError: an address or digest of a wrong form.
    """
    if not re.fullmatch(r"https?://[^/\s]\S*", url):
        raise ValueError(f"url: expected http:// or https://, found {url!r}")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"sha256: expected 64 hexadecimal digits, found {sha256!r}")
    whole_number("retries", retries, low=0)
    target, part = os.fspath(path), os.fspath(path) + ".part"
    if os.path.lexists(target):
        if digest_of(target) != sha256.lower():
            raise InputError(path, "exists with another SHA-256 and is left alone; move it away")
        return
    try:
        _fetch(url, part, timeout, retries, pause, progress)
        found = digest_of(part)
        if found != sha256.lower():
            os.remove(part)
            raise InputError(path, f"{url} has SHA-256 {found}, expected {sha256.lower()}")
        os.replace(part, target)
    except _Dropped as e:
        raise InputError(path, f"{url}: {e} ({retries + 1} attempts)") from None
    except OSError as e:
        raise InputError(path, e.strerror or str(e)) from None


def digest_of(path: PathLike) -> str:
    """SHA-256 of a file as it is, as hexadecimal digits; OSError if it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _fetch(
    url: str,
    part: str,
    timeout: float,
    retries: int,
    pause: float,
    progress: Optional[Progress],
) -> None:
    """Complete ``part``; _Dropped when the last attempt failed as well."""
    for attempt in range(retries + 1):
        try:
            _attempt(url, part, timeout, progress)
            return
        except _Dropped:
            if attempt == retries:
                raise
            time.sleep(pause * 2**attempt)


def _attempt(url: str, part: str, timeout: float, progress: Optional[Progress]) -> None:
    """One request, for what ``part`` lacks; the file grows as far as the connection lasts."""
    done = os.path.getsize(part) if os.path.exists(part) else 0
    response = _request(url, part, done, timeout)
    if response is None:
        return
    with response:
        if done and not _continues(response, done):
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length and length.isdigit() else None
        with open(part, "ab" if done else "wb") as file:
            for block in _blocks(response):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Dropped(f"connection lost after {done} of {total} bytes")


def _request(url: str, part: str, done: int, timeout: float) -> Any:
    """The open response; None if the server says that ``part`` is complete."""
    headers = {"User-Agent": "dynotes", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as e:
        e.close()
        if e.code == 416 and done:  # nothing after what we have: complete, or of another file
            return None
        if e.code in PASSING:
            raise _Dropped(f"{e.code} {e.reason}") from None
        raise InputError(part[: -len(".part")], f"{url}: {e.code} {e.reason}") from None
    except (OSError, http.client.HTTPException) as e:
        raise _Dropped(str(getattr(e, "reason", e)) or type(e).__name__) from None


def _continues(response: Any, done: int) -> bool:
    """Whether the body begins at byte ``done``; a server without ranges sends all of it again."""
    place = response.headers.get("Content-Range", "")
    return response.status == 206 and place.startswith(f"bytes {done}-")


def _blocks(response: Any) -> Iterator[bytes]:
    while True:
        try:
            block = response.read(BLOCK)
        except (OSError, http.client.HTTPException) as e:
            raise _Dropped(str(e) or type(e).__name__) from None
        if not block:
            return
        yield block
