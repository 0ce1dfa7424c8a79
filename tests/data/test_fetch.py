"""Downloads against a real server, local copies, and pip against a made-up archive."""

import hashlib
import importlib.metadata
import io
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from actrepro.config.protocol import DownloadCorpus, SdistCorpus
from actrepro.core.errors import ActreproError
from actrepro.data import fetch
from actrepro.data.fetch import download_text, sdist_members

TEXT = b"Two lines of text,\nand the second.\n" * 40
SHA256 = hashlib.sha256(TEXT).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    """`/good`, `/other`, `/truncated`, `/missing`, `/flaky` (an error, then the text)."""

    requests: list[str]

    def do_GET(self) -> None:
        earlier = self.requests.count(self.path)
        self.requests.append(self.path)
        status, body, size = {
            "/good": (200, TEXT, len(TEXT)),
            "/other": (200, TEXT[1:], len(TEXT) - 1),
            "/truncated": (200, TEXT[:500], len(TEXT)),
            "/flaky": (200, TEXT, len(TEXT)) if earlier else (500, b"", 0),
        }.get(self.path, (404, b"", 0))
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def requests_seen() -> list[str]:
    return []


@pytest.fixture
def server(requests_seen: list[str]) -> Iterator[str]:
    """Yield the address of a server on this machine."""
    handler = type("Answers", (_Answers,), {"requests": requests_seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _quick_and_tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove pauses between attempts and proxies, and check that no file is left behind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    assert list(temporary.iterdir()) == []


def _corpus(*urls: str) -> DownloadCorpus:
    return DownloadCorpus(source="download", urls=urls, sha256=SHA256, file="text.txt")


def _unreachable() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/good"


def test_download(server: str) -> None:
    fetched = download_text(_corpus(f"{server}/good"), None)
    assert fetched.data == TEXT
    assert fetched.origin == f"{server}/good"


def test_a_server_error_is_tried_again(server: str, requests_seen: list[str]) -> None:
    assert download_text(_corpus(f"{server}/flaky"), None).data == TEXT
    assert requests_seen == ["/flaky", "/flaky"]


def test_the_number_of_attempts(server: str, requests_seen: list[str]) -> None:
    with pytest.raises(ActreproError):
        download_text(_corpus(f"{server}/missing"), None, retries=3)
    assert len(requests_seen) == 4


def test_the_next_address_serves(server: str) -> None:
    urls = [_unreachable(), f"{server}/missing", f"{server}/truncated", f"{server}/good"]
    assert download_text(_corpus(*urls), None, retries=0).origin == f"{server}/good"


def test_each_failure_has_its_reason(server: str) -> None:
    urls = [f"{server}/missing", f"{server}/truncated", f"{server}/other", _unreachable()]
    with pytest.raises(ActreproError) as caught:
        download_text(_corpus(*urls), None, retries=1)
    lines = str(caught.value).splitlines()
    assert lines[0] == "text.txt could not be downloaded:"
    missing, truncated, other, unreachable = lines[1:5]
    assert "404" in missing
    assert "broke off" in truncated
    assert "500 bytes read" in truncated
    assert f"{len(TEXT) - 500} more expected" in truncated
    assert f"expected {SHA256}" in other
    assert f"got {hashlib.sha256(TEXT[1:]).hexdigest()}" in other
    assert "unreachable" in unreachable
    for line, url in zip(lines[1:5], urls, strict=True):
        assert line.startswith(f"  - {url}: ")
    assert "set ACTREPRO_CORPORA to a local copy" in lines[5]


def test_a_local_copy_keeps_the_network_out(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    for local in (tmp_path, tmp_path / "text.txt"):
        fetched = download_text(_corpus("http://nowhere.invalid"), str(local))
        assert fetched.data == TEXT
        assert fetched.origin == "local copy text.txt"


@pytest.mark.parametrize("local", ["nowhere", "."])
def test_no_local_copy_where_one_is_named(tmp_path: Path, local: str) -> None:
    with pytest.raises(ActreproError, match=r"ACTREPRO_CORPORA: .*No such file.*holds text\.txt"):
        download_text(_corpus("http://nowhere.invalid"), str(tmp_path / local))


def test_another_text_as_local_copy(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"another")
    with pytest.raises(ActreproError, match=f"has sha256 [0-9a-f]+, expected {SHA256}"):
        download_text(_corpus("http://nowhere.invalid"), str(tmp_path))


SETUP = b'from setuptools import setup\nsetup(name="made-up-plays", version="0.1")\n'
MEMBERS = {"texts/b_gut.txt": b"b\n", "texts/a_gut.txt": b"a \xc3\xa9\n", "texts/a_gut_f.txt": b"f"}


def _archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(f"made_up_plays-0.1/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"made_up_plays-0.1/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return stream.getvalue()


def _sdist(sha256: str = "0" * 64) -> SdistCorpus:
    return SdistCorpus(
        source="sdist",
        requirement="made-up-plays==0.1",
        sha256=sha256,
        members="*/texts/*_gut.txt",
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the only package index that pip sees."""
    pytest.importorskip("setuptools", reason="pip would fetch it, and this index has none")
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_fetches_the_members(index: Path) -> None:
    data = _archive({"setup.py": SETUP, **MEMBERS})
    (index / "made_up_plays-0.1.tar.gz").write_bytes(data)
    assert sdist_members(_sdist(hashlib.sha256(data).hexdigest())) == [
        ("made_up_plays-0.1/texts/a_gut.txt", "a é\n"),
        ("made_up_plays-0.1/texts/b_gut.txt", "b\n"),
    ]


def test_pip_finds_another_hash(index: Path) -> None:
    data = _archive({"setup.py": SETUP})
    (index / "made_up_plays-0.1.tar.gz").write_bytes(data)
    with pytest.raises(ActreproError) as caught:
        sdist_members(_sdist())
    assert "pip says" in str(caught.value)
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_pip_finds_no_archive(index: Path) -> None:
    with pytest.raises(ActreproError, match="could not be fetched") as caught:
        sdist_members(_sdist())
    assert "No matching distribution found for made-up-plays==0.1" in str(caught.value)
    assert "PIP_FIND_LINKS" in str(caught.value)


def test_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [])
    with pytest.raises(ActreproError, match="has no pip"):
        sdist_members(_sdist())


def _with_archive(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(fetch, "_pip_download", lambda corpus: data)


def test_links_and_other_members_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {"texts/link_gut.txt": "/etc/hostname"}
    _with_archive(monkeypatch, _archive(MEMBERS, links))
    names = [name for name, _ in sdist_members(_sdist())]
    assert names == ["made_up_plays-0.1/texts/a_gut.txt", "made_up_plays-0.1/texts/b_gut.txt"]


def test_no_member_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_archive(monkeypatch, _archive({"setup.py": SETUP}))
    with pytest.raises(ActreproError, match="no member of the archive matches"):
        sdist_members(_sdist())


@pytest.mark.parametrize(("limit", "value"), [("MAX_MEMBER_BYTES", 1), ("MAX_MEMBERS", 1)])
def test_archives_that_are_too_large(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(fetch, limit, value)
    _with_archive(monkeypatch, _archive(MEMBERS))
    with pytest.raises(ActreproError, match="expected at most"):
        sdist_members(_sdist())


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        _archive(MEMBERS)[:60],
        _archive({"texts/a_gut.txt": b"\xff"}),
    ],
    ids=["no-archive", "truncated", "latin-1"],
)
def test_files_that_are_no_archives(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    _with_archive(monkeypatch, data)
    with pytest.raises(ActreproError, match=r"expected a tar\.gz archive of UTF-8 texts, found: "):
        sdist_members(_sdist())
