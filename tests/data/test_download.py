"""Fetching files and data sets from a server that also drops, lies, changes its mind and fails."""

from __future__ import annotations

import bz2
import hashlib
import io
import random
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArchiveError, ArgumentError, DownloadError, UnsafeFileError
from vivace.data import archive as archive_module
from vivace.data import transfer
from vivace.data.download import download_data, download_url, untar_data
from vivace.data.transfer import local_path, name_in_url

CONTENT = random.Random(0).randbytes(300_000)


@dataclass
class Site:
    """What the server offers and how it behaves; `requests` holds (path, Range, status)."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"/file.bin": CONTENT})
    etag: str | None = '"v1"'
    drop_after: list[int] = field(default_factory=list)  # bytes to send before hanging up, one a request
    statuses: list[int] = field(default_factory=list)  # answers before the file is given
    knows_ranges: bool = True
    looks_at_if_range: bool = True
    redirect: str | None = None
    says_length: bool = True
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.site.requests.append((self.path, self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        site, path = self.site, self.path.split("?")[0]
        if site.redirect and path == "/moved":
            return self.start(302, {"Location": site.redirect})
        if site.statuses:
            return self.start(site.statuses.pop(0), {"Retry-After": "0", "Content-Length": "0"})
        if path not in site.files:
            return self.start(404, {"Content-Length": "0"})
        content, wanted = site.files[path], self.headers.get("Range")
        headers = {"ETag": site.etag} if site.etag else {}
        same = self.headers.get("If-Range") == site.etag or not site.looks_at_if_range
        begin, status = 0, 200
        if wanted and site.knows_ranges and same:
            begin, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            if begin >= len(content):
                return self.start(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if site.says_length:
            headers["Content-Length"] = str(len(content) - begin)
        self.start(status, headers)
        end = begin + site.drop_after.pop(0) if site.drop_after else len(content)
        self.wfile.write(content[begin:end])
        return None


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(transfer, "FIRST_WAIT_SECONDS", 0.001)
    the_site = Site()
    handler = type("SiteHandler", (Handler,), {"site": the_site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        the_site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield the_site
        server.shutdown()
        thread.join()


def tgz(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"top/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---------------------------------------------------------------- one file


def test_a_file_arrives_whole_and_alone(site: Site, tmp_path: Path) -> None:
    path = download_url(f"{site.url}/file.bin", tmp_path / "sub" / "x.bin")
    assert path == tmp_path / "sub" / "x.bin"
    assert path.read_bytes() == CONTENT
    assert names_in(path.parent) == {"x.bin"}


def test_without_a_name_the_address_gives_it(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert download_url(f"{site.url}/file.bin?download=1").absolute() == tmp_path / "file.bin"
    (tmp_path / "folder").mkdir()
    assert download_url(f"{site.url}/file.bin", tmp_path / "folder") == tmp_path / "folder" / "file.bin"
    with pytest.raises(ArgumentError, match="ends with no file name"):
        download_url(f"{site.url}/")


def test_a_dropped_connection_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    site.drop_after = [100_000, 50_000]
    path = download_url(f"{site.url}/file.bin", tmp_path / "x")
    assert path.read_bytes() == CONTENT
    assert [(r[1], r[2]) for r in site.requests] == [(None, 200), ("bytes=100000-", 206), ("bytes=150000-", 206)]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(site: Site, tmp_path: Path) -> None:
    site.drop_after = [100_000]
    with pytest.raises(DownloadError, match=r"broke off after 100,000 of 300,000 bytes"):
        download_url(f"{site.url}/file.bin", tmp_path / "x", n_retries=0)
    assert names_in(tmp_path) == {"x.part", "x.part.json"}
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT
    assert site.requests[-1][1:] == ("bytes=100000-", 206)
    assert names_in(tmp_path) == {"x"}


def test_a_killed_call_that_had_everything_fetches_nothing_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT)
    (tmp_path / "x.part.json").write_text(f'{{"url": "{site.url}/file.bin", "version": "\\"v1\\""}}')
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT
    assert site.requests[-1][2] == 416


@pytest.mark.parametrize("change", ["content", "other file", "no note", "broken note", "ignores If-Range"])
def test_a_part_of_something_else_is_not_continued(site: Site, tmp_path: Path, change: str) -> None:
    site.drop_after = [100_000]
    with pytest.raises(DownloadError):
        download_url(f"{site.url}/file.bin", tmp_path / "x", n_retries=0)
    new = bytes(reversed(CONTENT))
    name = "other.bin" if change == "other file" else "file.bin"
    site.files[f"/{name}"] = new
    if change == "content":
        site.etag = '"v2"'
    elif change == "ignores If-Range":
        site.etag, site.looks_at_if_range = '"v2"', False
    elif change == "no note":
        (tmp_path / "x.part.json").unlink()
    elif change == "broken note":
        (tmp_path / "x.part.json").write_text("{")
    assert download_url(f"{site.url}/{name}", tmp_path / "x").read_bytes() == new


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path) -> None:
    site.knows_ranges, site.drop_after = False, [100_000, 200_000]
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT
    assert [r[2] for r in site.requests] == [200, 200, 200]


def test_without_a_version_nothing_is_continued(site: Site, tmp_path: Path) -> None:
    site.etag, site.drop_after = None, [100_000]
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT
    assert [r[1] for r in site.requests] == [None, None]


def test_a_weak_version_is_not_trusted(site: Site, tmp_path: Path) -> None:
    site.etag, site.drop_after = 'W/"v1"', [100_000]
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT
    assert [r[1] for r in site.requests] == [None, None]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_fault_is_tried_again(site: Site, tmp_path: Path, status: int) -> None:
    site.statuses = [status, status]
    assert download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes() == CONTENT


def test_a_lasting_fault_ends_after_the_retries(site: Site, tmp_path: Path) -> None:
    site.statuses = [500] * 10
    with pytest.raises(DownloadError, match=r"HTTP 500 .*tried 3 times"):
        download_url(f"{site.url}/file.bin", tmp_path / "x", n_retries=2)
    assert len(site.requests) == 3


def test_a_missing_file_is_not_tried_again_and_says_what_to_do(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download_url(f"{site.url}/gone.tgz", tmp_path / "gone.tgz")
    message = str(caught.value)
    assert len(site.requests) == 1
    assert "HTTP 404" in message
    assert f"{site.url}/gone.tgz" in message
    assert f"save the file as\n    {tmp_path / 'gone.tgz'}" in message
    assert "VIVACE_HOME" in message
    assert isinstance(caught.value, OSError)


def test_no_server_is_told_from_a_server_that_refuses(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
    with pytest.raises(DownloadError, match="refuses the connection"):
        download_url(f"http://127.0.0.1:{port}/x", tmp_path / "x", n_retries=0)
    with pytest.raises(DownloadError, match="name cannot be looked up"):
        download_url("http://no-such-host.invalid/x", tmp_path / "x")


def test_a_silent_server_ends_after_the_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DownloadError, match=r"no answer for 0\.05 seconds"):
            download_url(f"http://127.0.0.1:{port}/x", tmp_path / "x", timeout=0.05, n_retries=0)


def test_checksums_are_checked_and_the_wrong_file_is_not_kept(site: Site, tmp_path: Path) -> None:
    sha256, md5 = hashlib.sha256(CONTENT).hexdigest().upper(), hashlib.md5(CONTENT).hexdigest()
    (tmp_path / "x").write_text("old")
    for wrong in ({"sha256": "0" * 64}, {"md5": "0" * 32}, {"expected_size": 5}):
        with pytest.raises(DownloadError, match="not the file that was expected"):
            download_url(f"{site.url}/file.bin", tmp_path / "x", **wrong)
        assert (tmp_path / "x").read_text() == "old"
        assert names_in(tmp_path) == {"x"}
    path = download_url(f"{site.url}/file.bin", tmp_path / "x", expected_size=len(CONTENT), sha256=sha256, md5=md5)
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_there_is_checked_and_kept(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    assert download_url(f"{site.url}/file.bin", tmp_path / "x", overwrite=False).read_bytes() == b"mine"
    with pytest.raises(DownloadError, match=r"x: .*sha256.*Delete it"):
        download_url(f"{site.url}/file.bin", tmp_path / "x", overwrite=False, sha256="0" * 64)
    assert site.requests == []


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_that_is_too_large_is_refused(site: Site, tmp_path: Path, says_length: bool) -> None:
    site.says_length = says_length
    with pytest.raises(DownloadError, match="200,000"):
        download_url(f"{site.url}/file.bin", tmp_path / "x", max_bytes=200_000)
    assert names_in(tmp_path) == set()


def test_a_full_disk_is_said_beforehand(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(DownloadError, match=r"needs 300,000 bytes.*100 free"):
        download_url(f"{site.url}/file.bin", tmp_path / "x")


def test_redirects_are_followed_but_not_off_the_web(site: Site, tmp_path: Path) -> None:
    site.redirect = f"{site.url}/file.bin"
    assert download_url(f"{site.url}/moved", tmp_path / "x").read_bytes() == CONTENT
    for bad in ("file:///etc/passwd", "ftp://example.org/x"):
        site.redirect = bad
        with pytest.raises(DownloadError, match=r"not a web address|HTTP 302"):
            download_url(f"{site.url}/moved", tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_spaces_and_accents_in_addresses_work(site: Site, tmp_path: Path) -> None:
    site.files["/a%20%C3%A9.bin"] = b"hi"
    assert download_url(f"{site.url}/a é.bin", tmp_path / "x").read_bytes() == b"hi"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a", "javascript:alert(1)", "file://elsewhere/a", "http:///a", "http://[x"]
)
def test_other_protocols_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        download_url(url, tmp_path / "x")
    assert names_in(tmp_path) == set()


def test_local_files_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "with space.bin"
    source.write_bytes(b"data")
    urls: list[str | Path] = [source, str(source), source.as_uri()]
    for number, url in enumerate(urls):
        assert download_url(url, tmp_path / f"{number}").read_bytes() == b"data"
    assert download_url(source, source).read_bytes() == b"data"
    with pytest.raises(DownloadError, match="does not exist"):
        download_url(tmp_path / "nothing", tmp_path / "x")
    with pytest.raises(DownloadError, match="is a folder"):
        download_url(tmp_path, tmp_path / "x")


def test_threads_that_want_one_file_get_it_whole(site: Site, tmp_path: Path) -> None:
    results: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(download_url(f"{site.url}/file.bin", tmp_path / "x").read_bytes())
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [CONTENT] * 4
    assert names_in(tmp_path) == {"x"}


@given(st.text(min_size=1, max_size=30))
def test_a_name_from_an_address_never_leaves_the_folder(text: str) -> None:
    try:
        name = name_in_url(f"http://example.org/{quote(text, safe='')}")
    except ArgumentError:
        return
    assert Path("folder", name).resolve().parent == Path("folder").resolve()
    assert "\0" not in name


def test_paths_and_addresses_are_told_apart(tmp_path: Path) -> None:
    assert local_path("https://example.org/a.tgz") is None
    assert local_path("a/b.tgz") == Path("a/b.tgz")
    assert local_path("file:///tmp/a%20b.tgz") == Path("/tmp/a b.tgz")
    assert local_path("~/a.tgz") == Path.home() / "a.tgz"
    assert local_path(r"C:\data\a.tgz") == Path(r"C:\data\a.tgz")


# ---------------------------------------------------------------- data sets


def test_a_data_set_is_fetched_and_unpacked_once(site: Site, tmp_path: Path) -> None:
    site.files["/pets.tgz"] = tgz(a=b"1", b=b"2")
    for _ in range(2):
        path = untar_data(f"{site.url}/pets.tgz", base=tmp_path / "home")
        assert path == tmp_path / "home" / "data" / "pets"
        assert names_in(path) == {"a", "b"}
    assert len(site.requests) == 1
    assert names_in(tmp_path / "home" / "archive") == {"pets.tgz"}


def test_the_archive_is_kept_for_when_the_folder_is_gone(site: Site, tmp_path: Path) -> None:
    site.files["/pets.tgz"] = tgz(a=b"1")
    path = untar_data(f"{site.url}/pets.tgz", base=tmp_path)
    shutil.rmtree(path)
    assert names_in(untar_data(f"{site.url}/pets.tgz", base=tmp_path)) == {"a"}
    assert len(site.requests) == 1


def test_force_download_replaces_archive_and_folder(site: Site, tmp_path: Path) -> None:
    site.files["/pets.tgz"] = tgz(a=b"1")
    untar_data(f"{site.url}/pets.tgz", base=tmp_path)
    site.files["/pets.tgz"] = tgz(b=b"2")
    assert names_in(untar_data(f"{site.url}/pets.tgz", base=tmp_path, force_download=True)) == {"b"}
    assert len(site.requests) == 2


def test_a_file_saved_by_hand_is_taken(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        untar_data(f"{site.url}/pets.tgz", base=tmp_path)
    place = Path(str(caught.value).split("save the file as\n")[1].split("\n")[0].strip())
    assert "it goes on from there" in str(caught.value)
    place.write_bytes(tgz(a=b"1"))
    assert names_in(untar_data(f"{site.url}/pets.tgz", base=tmp_path)) == {"a"}


def test_folders_come_from_the_environment_or_the_arguments(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/pets.tgz"] = tgz(a=b"1")
    url = f"{site.url}/pets.tgz"
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "env"))
    assert untar_data(url) == tmp_path / "env" / "data" / "pets"
    assert untar_data(url, c_key="model") == tmp_path / "env" / "models" / "pets"
    assert untar_data(url, base=tmp_path / "b", c_key="model") == tmp_path / "b" / "models" / "pets"
    assert untar_data(url, base=tmp_path / "b", data="sets", archive="zips") == tmp_path / "b" / "sets" / "pets"
    assert untar_data(url, data=tmp_path / "abs", archive=tmp_path / "zips") == tmp_path / "abs" / "pets"
    assert names_in(tmp_path / "zips") == {"pets.tgz"}
    monkeypatch.setenv("VIVACE_DATA", str(tmp_path / "elsewhere"))
    assert untar_data(url) == tmp_path / "elsewhere" / "pets"


@pytest.mark.parametrize("form", ["path", "text", "file address"])
def test_a_local_archive_is_read_where_it_is(tmp_path: Path, form: str) -> None:
    source = tmp_path / "my pets.tgz"
    source.write_bytes(tgz(a=b"1"))
    forms: dict[str, str | Path] = {"path": source, "text": str(source), "file address": source.as_uri()}
    url = forms[form]
    path = untar_data(url, base=tmp_path / "home")
    assert path == tmp_path / "home" / "data" / "my pets"
    assert not (tmp_path / "home" / "archive").exists()
    assert untar_data(url, base=tmp_path / "home") == path


def test_local_archives_that_are_none_say_so(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no archive at .*nothing\.tgz"):
        untar_data(tmp_path / "nothing.tgz", base=tmp_path)
    with pytest.raises(ArgumentError, match="is a folder"):
        untar_data(tmp_path, base=tmp_path / "home")
    (tmp_path / "a.tgz").write_bytes(tgz(a=b"1"))
    with pytest.raises(DownloadError, match="sha256"):
        untar_data(tmp_path / "a.tgz", base=tmp_path, sha256="0" * 64)


def test_another_archive_of_the_same_name_is_not_returned_silently(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.tgz").write_bytes(tgz(**{name: b"1"}))
    untar_data(tmp_path / "one" / "data.tgz", base=tmp_path)
    with pytest.warns(UserWarning, match=r"unpacked from .*one.data\.tgz, not from .*two.*force_download=True"):
        untar_data(tmp_path / "two" / "data.tgz", base=tmp_path)
    assert names_in(untar_data(tmp_path / "two" / "data.tgz", base=tmp_path, force_download=True)) == {"two"}


def test_a_web_page_instead_of_an_archive_says_so(site: Site, tmp_path: Path) -> None:
    site.files["/pets.tgz"] = b"<!doctype html><title>Log in</title>"
    with pytest.raises(ArchiveError, match=r"(?s)pets\.tgz was not unpacked. It is a web page.*force_download=True"):
        untar_data(f"{site.url}/pets.tgz", base=tmp_path)
    assert "pets" not in names_in(tmp_path / "data")


def test_a_bomb_from_the_web_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "RATIO_COUNTS_FROM_BYTES", 10**5)
    site.files["/bomb.bz2"] = bz2.compress(b"0" * 10**7)
    with pytest.raises(UnsafeFileError, match="bomb"):
        untar_data(f"{site.url}/bomb.bz2", base=tmp_path)
    assert names_in(tmp_path / "data") == set()


def test_the_size_of_a_data_set_can_be_bounded(site: Site, tmp_path: Path) -> None:
    site.files["/pets.tgz"] = tgz(a=b"1" * 1000)
    with pytest.raises(UnsafeFileError, match="max_bytes"):
        untar_data(f"{site.url}/pets.tgz", base=tmp_path, max_bytes=999)


def test_download_data_keeps_a_file_in_its_folder(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path))
    for _ in range(2):
        assert download_data(f"{site.url}/file.bin") == tmp_path / "archive" / "file.bin"
    assert download_data(f"{site.url}/file.bin", c_key="weights") == tmp_path / "weights" / "file.bin"
    assert len(site.requests) == 2
    download_data(f"{site.url}/file.bin", force_download=True)
    assert len(site.requests) == 3


def test_progress_is_shown_on_a_terminal_only_when_asked(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.files["/big.bin"] = bytes(3 * 2**20)
    monkeypatch.setenv("VIVACE_PROGRESS", "terminal")
    download_url(f"{site.url}/big.bin", tmp_path / "x", show_progress=False)
    assert capsys.readouterr().out == ""
    download_url(f"{site.url}/big.bin", tmp_path / "x")
    shown = capsys.readouterr().out
    assert "/3 " in shown
    assert "MB x" in shown
    assert shown.endswith("\x1b[K")
