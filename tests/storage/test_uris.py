import pytest

from storage import files


@pytest.mark.parametrize(
    ("uri", "local", "folder", "name", "below"),
    [
        ("/a/b.c", True, "/a", "b.c", "/a/b.c/x/y"),
        ("file:///a/b.c", True, "/a", "b.c", "file:///a/b.c/x/y"),
        ("s3://bucket/a/b.c", False, "s3://bucket/a", "b.c", "s3://bucket/a/b.c/x/y"),
        ("s3://bucket/a/", False, "s3://bucket/a", "", "s3://bucket/a/x/y"),
    ],
)
def test_names(uri: str, local: bool, folder: str, name: str, below: str) -> None:
    assert files.is_local(uri) is local
    assert files.split(uri) == (folder, name)
    assert files.join(uri, "x", "y") == below
    assert files.scheme(uri) == uri.partition("://")[0] * ("://" in uri)


def test_a_name_below_a_file_is_not_there(tmp_path) -> None:
    (tmp_path / "file").touch()
    assert not files.exists(str(tmp_path / "file" / "below"))
