"""Where a database may lie, as the URL and the system say."""

from pathlib import Path

import pytest

from consent.errors import ConfigurationError
from consent.storage import open_storage
from consent.storage.place import file_system, require_local

from .events import ORIGIN

MOUNTS = r"""
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
/dev/vdb /srv xfs rw 0 0
files:/export /srv/shared nfs4 rw,vers=4.2 0 0
//nas/team /mnt/team\040drive cifs rw 0 0
me@host: /home/me/far fuse.sshfs rw 0 0
tmpfs /over tmpfs rw 0 0
files:/again /over nfs rw 0 0
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/consent.sqlite3", "ext4"),
        ("/srv/consent.sqlite3", "xfs"),
        ("/srv/shared/consent.sqlite3", "nfs4"),
        ("/srv/shared/new/folder/consent.sqlite3", "nfs4"),
        ("/srv/sharedby/consent.sqlite3", "xfs"),
        ("/mnt/team drive/consent.sqlite3", "cifs"),
        ("/home/me/far/consent.sqlite3", "fuse.sshfs"),
        ("/over/consent.sqlite3", "nfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    if kind in ("ext4", "xfs"):
        require_local(Path(path), MOUNTS)
    else:
        with pytest.raises(
            ConfigurationError, match=rf"network file system \({kind}\).*name a folder on one"
        ):
            require_local(Path(path), MOUNTS)


def test_a_link_is_followed_to_where_the_file_really_lies(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/srv/shared")
    assert file_system(tmp_path / "link" / "consent.sqlite3", MOUNTS) == "nfs4"


def test_where_the_system_doesnt_tell_nothing_is_refused(tmp_path: Path) -> None:
    assert file_system(tmp_path, "") is None
    require_local(tmp_path, "")
    require_local(tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db/consent", "expected it to begin with postgresql"),
        ("mysql://db/consent", "expected sqlite:///"),
        ("sqlite+aiosqlite:///consent.sqlite3", "expected sqlite:///"),
        ("sqlite:///consent.sqlite3?mode=ro", "without options"),
        ("sqlite:///file:consent.sqlite3", "without options"),
        ("consent.sqlite3", "no URL"),
        ("postgresql+psycopg://me:p@ss:word@db/consent", "no URL.*written as %3A"),
        ("postgresql+psycopg://me@db:port/consent", "no URL"),
        ("", "no URL"),
    ],
)
def test_any_other_database_is_refused_at_once(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"CONSENT_DATABASE.*{said}|{said}"):
        open_storage(url, origin=ORIGIN)


@pytest.mark.parametrize(
    "url",
    ["mysql://me:secret@db/consent", "postgresql+psycopg://me:p@ss:secret@db/consent", "//me:secret@db"],
)
def test_a_password_in_a_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_storage(url, origin=ORIGIN)
    assert "secret" not in str(caught.value)


def test_a_path_is_that_of_the_folder_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    storage = open_storage("sqlite:///consent 100%?.sqlite3".replace("?", ""), origin=ORIGIN, floor=0)
    monkeypatch.chdir(tmp_path / "b")
    assert storage.size() == 1
    assert (tmp_path / "a" / "consent 100%.sqlite3").exists()
    storage.close()
