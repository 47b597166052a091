"""Archives: what is unpacked, what is refused, and that nothing is left of what is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArchiveError, ArgumentError, UnsafeFileError
from vivace.data import archive as archive_module
from vivace.data.archive import extract, name_without_suffixes


def entry(
    name: str, content: bytes = b"", type_: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = type_, link, len(content)
    return info, content


def link(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type_=tarfile.SYMTYPE, link=to)


def hard(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type_=tarfile.LNKTYPE, link=to)


def tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for info, content in entries:
            out.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *names: str, mode: int = stat.S_IFREG | 0o644, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in names:
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.external_attr, info.create_system = mode << 16, 3
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, content)
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# ---------------------------------------------------------------- what is unpacked


@pytest.mark.parametrize("suffix, mode", [("tgz", "w:gz"), ("tar", "w"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")])
def test_each_kind_of_tar_is_unpacked(tmp_path: Path, suffix: str, mode: str) -> None:
    source = tar(tmp_path / f"a.{suffix}", entry("x.txt", b"one"), entry("sub/y.txt", b"two"), mode=mode)
    assert files_in(extract(source, tmp_path / "out")) == {"x.txt": b"one", "sub/y.txt": b"two"}


def test_a_zip_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    source = zipped(tmp_path / "data.bin", "x.txt", "sub/y.txt")
    assert files_in(extract(source, tmp_path / "out")) == {"x.txt": b"x", "sub/y.txt": b"x"}


@pytest.mark.parametrize("suffix, compress", [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_single_compressed_file_becomes_a_folder_with_it(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    (tmp_path / f"table.csv.{suffix}").write_bytes(compress(b"a,b\n1,2\n"))
    assert files_in(extract(tmp_path / f"table.csv.{suffix}", tmp_path / "out")) == {"table.csv": b"a,b\n1,2\n"}


def test_the_only_top_folder_becomes_the_target(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tgz", entry("whatever/x.txt", b"1"), entry("whatever/sub/y.txt", b"2"))
    assert files_in(extract(source, tmp_path / "pets")) == {"x.txt": b"1", "sub/y.txt": b"2"}


def test_the_litter_of_macos_is_left_out(tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", "pets/cat.jpg", "__MACOSX/pets/._cat.jpg")
    assert list(files_in(extract(source, tmp_path / "out"))) == ["cat.jpg"]


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    source = tar(
        tmp_path / "a.tgz",
        link("latest", "v1/x.txt"),
        link("v1/up", "../y.txt"),
        entry("v1/x.txt", b"1"),
        entry("y.txt", b"2"),
        hard("same", "y.txt"),
    )
    out = extract(source, tmp_path / "out")
    assert (out / "latest").is_symlink()
    assert (out / "latest").read_bytes() == b"1"
    assert (out / "v1" / "up").read_bytes() == b"2"
    assert (out / "same").read_bytes() == b"2"


def test_a_file_that_is_twice_in_a_tar_has_its_last_content(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tgz", entry("x", b"old"), entry("x", b"new"), entry("y", b""))
    assert files_in(extract(source, tmp_path / "out")) == {"x": b"new", "y": b""}


def test_files_are_not_executable_and_not_special(tmp_path: Path) -> None:
    info, content = entry("run.sh", b"#!/bin/sh")
    info.mode = 0o6777
    out = extract(tar(tmp_path / "a.tgz", (info, content), entry("b")), tmp_path / "out")
    assert not (out / "run.sh").stat().st_mode & 0o7111


names = st.text(st.sampled_from("ab._- é日"), min_size=1, max_size=6).filter(lambda n: n.strip(". ") == n)


@given(st.dictionaries(st.tuples(names, names), st.binary(max_size=200), min_size=1, max_size=6), st.booleans())
def test_what_was_packed_is_what_comes_out(
    tmp_path_factory: pytest.TempPathFactory, content: dict[tuple[str, str], bytes], as_zip: bool
) -> None:
    folder = tmp_path_factory.mktemp("round")
    expected = {"/".join(parts): data for parts, data in content.items()} | {"top": b"level", "other": b""}
    if as_zip:
        with zipfile.ZipFile(folder / "a", "w") as out:
            for name, data in expected.items():
                out.writestr(name, data)
    else:
        tar(folder / "a", *(entry(name, data) for name, data in expected.items()))
    assert files_in(extract(folder / "a", folder / "out")) == expected


# ---------------------------------------------------------------- what is refused

UNSAFE: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "parent": ([entry("../evil", b"x")], "evil"),
    "parent in the middle": ([entry("a/../../evil", b"x")], "evil"),
    "parent that comes back": ([entry("a/../b", b"x")], "a/../b"),
    "parent with backslashes": ([entry("..\\evil", b"x")], "evil"),
    "absolute": ([entry("/tmp/evil_of_vivace", b"x")], "evil_of_vivace"),
    "absolute with backslash": ([entry("\\evil", b"x")], "evil"),
    "drive": ([entry("C:\\evil", b"x")], "evil"),
    "drive without slash": ([entry("c:evil", b"x")], "evil"),
    "folder outside": ([entry("../dir", type_=tarfile.DIRTYPE)], "dir"),
    "symlink out": ([entry("a"), link("ln", "../../evil")], "ln"),
    "symlink absolute": ([entry("a"), link("ln", "/etc/passwd")], "ln"),
    "symlink to a drive": ([entry("a"), link("ln", "C:/evil")], "ln"),
    "symlink to the parent": ([entry("a"), link("ln", "..")], "ln"),
    "symlink behind a symlink": ([entry("d/e/f"), link("ln", "d/e"), link("ln/up", "../../..")], "ln"),
    "two symlinks that lead out together": (
        [entry("d/e/f"), entry("g"), link("a", "b/d/../.."), link("b", "."), link("c", "b/../..")],
        "c",
    ),
    "file behind a symlink": ([link("ln", "../outside"), entry("ln/evil", b"x")], "ln"),
    "file over a symlink": ([link("ln", "../evil"), entry("ln", b"x")], "ln"),
    "hard link out": ([entry("a"), hard("ln", "../../evil")], "ln"),
    "hard link absolute": ([entry("a"), hard("ln", "/etc/passwd")], "ln"),
    "hard link to nothing": ([entry("a"), hard("ln", "b")], "ln"),
    "hard link to a symlink": ([entry("a"), link("s", "a"), hard("ln", "s")], "ln"),
    "pipe": ([entry("a"), entry("pipe", type_=tarfile.FIFOTYPE)], "pipe"),
    "character device": ([entry("dev", type_=tarfile.CHRTYPE)], "dev"),
    "block device": ([entry("dev", type_=tarfile.BLKTYPE)], "dev"),
    "link that leads out of the only folder": ([entry("top/a"), link("top/ln", "../other")], "ln"),
}


def assert_nothing_came_of_it(tmp_path: Path, before: set[Path]) -> None:
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil_of_vivace").exists()


@pytest.mark.parametrize("kind", UNSAFE)
def test_an_unsafe_tar_is_refused_by_name_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    entries, culprit = UNSAFE[kind]
    source = tar(tmp_path / "bad.tgz", *entries)
    (tmp_path / "deep").mkdir()
    before = set(tmp_path.rglob("*"))
    with pytest.raises((UnsafeFileError, ArchiveError), match=f"(?s)bad.tgz was not unpacked.*{culprit}"):
        extract(source, tmp_path / "deep" / "out")
    assert_nothing_came_of_it(tmp_path, before)


@pytest.mark.parametrize(
    "name, mode",
    [
        ("../evil", stat.S_IFREG),
        ("/tmp/evil_of_vivace", stat.S_IFREG),
        ("C:/evil", stat.S_IFREG),
        ("..\\evil", stat.S_IFREG),
        ("a/../../evil", stat.S_IFREG),
        ("ok\0/../evil", stat.S_IFREG),
        ("evil", stat.S_IFIFO),
        ("evil", stat.S_IFCHR),
        ("evil", stat.S_IFBLK),
        ("evil", stat.S_IFSOCK),
    ],
)
def test_an_unsafe_zip_is_refused_by_name_and_leaves_nothing(tmp_path: Path, name: str, mode: int) -> None:
    source = zipped(tmp_path / "bad.zip", name, mode=mode)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeFileError, match=r"bad\.zip was not unpacked.*evil"):
        extract(source, tmp_path / "out")
    assert_nothing_came_of_it(tmp_path, before)


@pytest.mark.parametrize("to", [b"../../evil", b"/etc/passwd", b"..", b""])
def test_a_symlink_in_a_zip_must_stay_inside(tmp_path: Path, to: bytes) -> None:
    source = zipped(tmp_path / "bad.zip", "ln", mode=stat.S_IFLNK | 0o777, content=to)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeFileError, match="ln"):
        extract(source, tmp_path / "out")
    assert_nothing_came_of_it(tmp_path, before)


def test_a_symlink_in_a_zip_is_kept_if_it_stays_inside(tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", "ln", mode=stat.S_IFLNK | 0o777, content=b"x.txt")
    with zipfile.ZipFile(source, "a") as out:
        out.writestr("x.txt", "hello")
    assert (extract(source, tmp_path / "out") / "ln").read_text() == "hello"


# ---------------------------------------------------------------- bombs


def test_more_bytes_than_allowed_are_refused(tmp_path: Path) -> None:
    for source in (
        tar(tmp_path / "a.tgz", entry("x", b"0" * 2000)),
        zipped(tmp_path / "a.zip", "x", content=b"0" * 2000),
    ):
        with pytest.raises(UnsafeFileError, match=r"2,000 bytes, but the bound is 1,999 bytes \(`max_bytes`\)"):
            extract(source, tmp_path / "out", max_bytes=1999)
        assert not (tmp_path / "out").exists()
        assert extract(source, tmp_path / source.suffix, max_bytes=2000).is_dir()


def test_the_sum_of_small_members_counts(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tgz", *(entry(f"{n}", b"0" * 100) for n in range(30)))
    with pytest.raises(UnsafeFileError, match="max_bytes"):
        extract(source, tmp_path / "out", max_bytes=2900)


@pytest.mark.parametrize("kind", ["tgz", "zip", "gz"])
def test_a_compression_bomb_is_refused_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archive_module, "RATIO_COUNTS_FROM_BYTES", 10**6)
    zeros = b"0" * (3 * 10**6)
    source = tmp_path / f"bomb.{kind}"
    if kind == "tgz":
        tar(source, entry("zeros", zeros))
    elif kind == "zip":
        zipped(source, "zeros", content=zeros)
    else:
        source.write_bytes(gzip.compress(zeros))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeFileError, match=r"times its own size.*bomb"):
        extract(source, tmp_path / "out", max_ratio=100)
    assert_nothing_came_of_it(tmp_path, before)


def test_a_bomb_in_what_tar_only_skips_is_refused(tmp_path: Path) -> None:
    """Behind the end of the tar: no member holds it, but reading to the checksum would."""
    inner = tar(tmp_path / "inner.tar", entry("x", b"1"), mode="w").read_bytes()
    with gzip.open(tmp_path / "bomb.tgz", "wb", compresslevel=1) as out:
        out.write(inner)
        for _ in range(80):
            out.write(b"\0" * 2**20)
    with pytest.raises(UnsafeFileError, match="max_bytes"):
        extract(tmp_path / "bomb.tgz", tmp_path / "out", max_bytes=10)


def test_a_giant_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 10**9
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 4096)
    with pytest.raises(UnsafeFileError, match="header of 1,000,000,000 bytes"):
        extract(tmp_path / "bomb.tar", tmp_path / "out")


def test_headers_nested_without_end_are_an_archive_error(tmp_path: Path) -> None:
    info = tarfile.TarInfo("h")
    info.type, info.size = tarfile.XHDTYPE, 0
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) * 5000)
    with pytest.raises(ArchiveError, match="damaged"):
        extract(tmp_path / "bomb.tar", tmp_path / "out")


@pytest.mark.parametrize("as_zip", [True, False])
def test_too_many_members_are_refused(tmp_path: Path, as_zip: bool) -> None:
    members = [f"f{n}" for n in range(11)]
    source = zipped(tmp_path / "a", *members) if as_zip else tar(tmp_path / "a", *(entry(n) for n in members))
    with pytest.raises(UnsafeFileError, match="max_members"):
        extract(source, tmp_path / "out", max_members=10)
    assert len(list(extract(source, tmp_path / "out", max_members=11).iterdir())) == 11


def test_a_full_disk_is_named_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "DISK_RESERVE_BYTES", 10**18)
    with pytest.raises(ArchiveError, match="has room for 0 bytes"):
        extract(tar(tmp_path / "a.tgz", entry("x", b"1")), tmp_path / "out")


# ---------------------------------------------------------------- damage


def noise(n_bytes: int) -> bytes:
    return random.Random(0).randbytes(n_bytes)


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_tar_is_damaged_and_leaves_nothing(tmp_path: Path, mode: str, share: float) -> None:
    source = tar(tmp_path / "cut.tar", *(entry(f"{n}", noise(20_000)) for n in range(3)), mode=mode)
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
    if mode == "w" and share == 0.95:
        source.write_bytes(source.read_bytes()[:50_000])  # what 95% leaves is padding
    with pytest.raises(ArchiveError, match=r"cut\.tar is damaged.*Delete it and download it again"):
        extract(source, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["cut.tar"]


def test_a_cut_zip_is_damaged(tmp_path: Path) -> None:
    source = zipped(tmp_path / "cut.zip", "x", content=noise(5000))
    source.write_bytes(source.read_bytes()[:3000])
    with pytest.raises(ArchiveError, match="damaged"):
        extract(source, tmp_path / "out")


@pytest.mark.parametrize("share", [0.4, 0.7, 0.995])
def test_flipped_bytes_are_found_by_the_checksum(tmp_path: Path, share: float) -> None:
    source = tar(tmp_path / "a.tgz", *(entry(f"{n}", noise(700 + n)) for n in range(4)))
    data = bytearray(source.read_bytes())
    data[int(len(data) * share)] ^= 0xFF
    source.write_bytes(data)
    with pytest.raises(ArchiveError, match="damaged"):
        extract(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_broken_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tar", entry("x", b"1" * 512), entry("y", b"2" * 512), mode="w")
    data = bytearray(source.read_bytes())
    data[1024 + 150] ^= 0xFF  # in the checksum of the second header
    source.write_bytes(data)
    with pytest.raises(ArchiveError, match="broken header"):
        extract(source, tmp_path / "out")


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "zero bytes"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"7z\xbc\xaf\x27\x1c" + b"0" * 90, "7-Zip"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"hello there", "no archive of a known kind"),
        (b"\x28\xb5\x2f\xfd0000", "Zstandard"),
    ],
)
def test_what_is_no_archive_says_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.tgz").write_bytes(content)
    with pytest.raises(ArchiveError, match=says):
        extract(tmp_path / "a.tgz", tmp_path / "out")


def test_a_tgz_without_a_tar_inside_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(gzip.compress(b"no tar"))
    with pytest.raises(ArchiveError, match="no tar"):
        extract(tmp_path / "a.tgz", tmp_path / "out")


def test_a_compressed_file_that_begins_with_zeros_is_not_taken_for_a_tar(tmp_path: Path) -> None:
    (tmp_path / "raw.gz").write_bytes(gzip.compress(b"\0" * 1024))
    assert files_in(extract(tmp_path / "raw.gz", tmp_path / "out")) == {"raw": b"\0" * 1024}


def test_an_empty_archive_is_an_error(tmp_path: Path) -> None:
    for source in (tar(tmp_path / "a.tgz"), zipped(tmp_path / "a.zip")):
        with pytest.raises(ArchiveError, match="holds no files"):
            extract(source, tmp_path / "out")


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    source = zipped(tmp_path / "a.zip", "secret.txt")
    data = bytearray(source.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.index(signature) + offset, 1)
    source.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"secret\.txt.*encrypted"):
        extract(source, tmp_path / "out")


@given(st.binary(max_size=40), st.integers(0, 10_000), st.sampled_from(["w:gz", "w", "zip"]))
def test_garbage_in_an_archive_gives_one_of_our_errors_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, place: int, mode: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    if mode == "zip":
        source = zipped(folder / "a.zip", "x", "d/y", content=noise(300))
    else:
        source = tar(folder / "a.tgz", entry("x", noise(300)), entry("d/y", noise(300)), link("l", "x"), mode=mode)
    data = bytearray(source.read_bytes())
    place %= len(data)
    data[place : place + len(garbage)] = garbage
    source.write_bytes(data)
    with_result = False
    try:
        extract(source, folder / "out")
        with_result = True
    except (ArchiveError, UnsafeFileError):
        pass
    assert {p.name for p in folder.iterdir()} == ({"out", source.name} if with_result else {source.name})


# ---------------------------------------------------------------- wholly or not at all


def test_what_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tgz", entry("new", b"1"), entry("b"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(ArgumentError, match="overwrite=True"):
        extract(source, tmp_path / "out")
    assert files_in(tmp_path / "out") == {"mine": b"precious"}
    assert set(files_in(extract(source, tmp_path / "out", overwrite=True))) == {"new", "b"}
    assert {p.name for p in tmp_path.iterdir()} == {"a.tgz", "out"}


def test_a_refused_archive_leaves_the_old_folder(tmp_path: Path) -> None:
    out = extract(tar(tmp_path / "a.tgz", entry("old", b"1")), tmp_path / "out")
    with pytest.raises(UnsafeFileError):
        extract(tar(tmp_path / "b.tgz", entry("new"), entry("../evil")), out, overwrite=True)
    assert files_in(out) == {"old": b"1"}


def test_an_archive_is_not_unpacked_over_itself(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    source = tar(tmp_path / "out" / "a.tgz", entry("x"))
    with pytest.raises(ArgumentError, match="over itself"):
        extract(source, tmp_path / "out", overwrite=True)
    assert source.exists()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".out.unpacking-0123abcd"
    left.mkdir()
    (left / "half").write_text("x")
    foreign = tmp_path / ".outer.unpacking-0123abcd"
    foreign.mkdir()
    extract(tar(tmp_path / "a.tgz", entry("x", b"1")), tmp_path / "out")
    assert not left.exists()
    assert foreign.exists()
    assert files_in(tmp_path / "out") == {"x": b"1"}


def test_an_interruption_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(archive_module._Unpacker, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extract(tar(tmp_path / "a.tgz", entry("x", b"1")), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tgz"]


def test_threads_that_unpack_to_one_place_do_not_disturb_each_other(tmp_path: Path) -> None:
    source = tar(tmp_path / "a.tgz", *(entry(f"{n}", noise(1000)) for n in range(20)))
    problems: list[BaseException] = []

    def work() -> None:
        try:
            extract(source, tmp_path / "out", overwrite=True)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(files_in(tmp_path / "out")) == 20
    assert {p.name for p in tmp_path.iterdir()} == {"a.tgz", "out"}


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"nothing\.tgz"):
        extract(tmp_path / "nothing.tgz", tmp_path / "out")


@pytest.mark.skipif(os.name != "posix", reason="long names fail differently")
def test_a_name_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"aaaa.*cannot be written"):
        extract(tar(tmp_path / "a.tgz", entry("a" * 300, b"1")), tmp_path / "out")


@pytest.mark.parametrize(
    "name, stem",
    [
        ("pets.tgz", "pets"),
        ("a.tar.gz", "a"),
        ("a.b.tar.xz", "a.b"),
        ("x.ZIP", "x"),
        ("t.csv.gz", "t.csv"),
        ("plain", "plain"),
        (".zip", ".zip"),
    ],
)
def test_endings_are_taken_off(name: str, stem: str) -> None:
    assert name_without_suffixes(name) == stem
