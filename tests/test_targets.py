"""What a user may name as a program; what cannot be used is said in one message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybpfnf import catalogue, targets
from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.lazy import LAZY, load_module, resolve
from pybpfnf.targets import ObjectFile, Source


def refusal(name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        targets.locate(name)
    return caught.value


# --------------------------------------------------------------------------------------------------------- names


def test_a_python_file_is_source_and_any_other_path_an_object(tmp_path: Path) -> None:
    for name in ("a.py", "a.o", "prog"):
        (tmp_path / name).write_bytes(b"")
    found = [targets.locate(tmp_path / name) for name in ("a.py", "a.o", "prog")]
    assert found == [Source(tmp_path / "a.py"), ObjectFile(tmp_path / "a.o"), ObjectFile(tmp_path / "prog")]


def test_a_checkout_has_its_own_catalogue_whatever_is_installed() -> None:
    assert catalogue.directory() == Path(catalogue.__file__).resolve().parent.parent / "functions"


def test_a_bare_name_is_a_catalogue_function() -> None:
    assert targets.locate("tag_increment") == Source(catalogue.directory() / "tag_increment.py")


def test_a_bare_name_is_a_file_where_the_catalogue_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prog").write_bytes(b"")
    Path("end").write_bytes(b"")
    assert targets.locate("prog") == ObjectFile(Path("prog"))
    assert targets.locate("end") == Source(catalogue.directory() / "end.py")


def test_an_unknown_name_offers_the_nearest() -> None:
    error = refusal("tag_incremnt")
    assert error.message == "no file and no catalogue function is called 'tag_incremnt'"
    assert error.hint == "did you mean tag_increment?"


def test_a_name_like_no_other_points_at_the_list() -> None:
    assert refusal("zzzz").hint == "`pybpfnf list` shows the catalogue"


def test_a_missing_file_is_named() -> None:
    assert refusal("no/such/file.py").message == "no such file: no/such/file.py"


def test_a_missing_file_called_like_a_function_offers_it() -> None:
    assert refusal("end_t.py").hint == "did you mean end_t?"


def test_a_directory_is_no_target(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)).message == f"cannot read {tmp_path}: it is a directory"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    loop = tmp_path / "loop.o"
    os.symlink(loop, loop)
    with pytest.raises(InputError, match=r"cannot read .*: too many levels of symbolic links"):
        targets.read_file(loop)


# ------------------------------------------------------------------------------------------------ stale objects


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue as a wheel has it: one source, its object and the index that ties them together."""
    source = tmp_path / "end.py"
    source.write_text('"""End."""\n')
    (tmp_path / "end.o").write_bytes(b"prebuilt")
    (tmp_path / catalogue.INDEX).write_text(f'{{"end": "{catalogue.source_digest(source.read_bytes())}"}}')
    monkeypatch.setattr(catalogue, "directory", lambda: tmp_path)
    return tmp_path


def test_a_prebuilt_object_stands_for_its_source(installed: Path) -> None:
    assert targets.object_bytes("end") == b"prebuilt"


def test_a_prebuilt_object_is_not_used_once_its_source_has_changed(installed: Path) -> None:
    with (installed / "end.py").open("a") as file:
        file.write("# changed\n")
    assert targets.locate("end") == Source(installed / "end.py")


def test_a_prebuilt_object_is_not_used_where_other_counters_are_asked_for(installed: Path) -> None:
    assert targets.locate("end", source=True) == Source(installed / "end.py")


def test_an_objects_counters_are_as_built(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_bytes(b"")
    for target in (tmp_path / "a.o", b"bytes"):
        with pytest.raises(InputError, match="fault counters as it was built"):
            targets.object_bytes(target, fault_counters=False)


# -------------------------------------------------------------------------------------------- program and type


def image(*types: str | None) -> ObjectImage:
    programs = tuple(ProgramImage(f"p{number}", type_ or "prog", type_, ()) for number, type_ in enumerate(types))
    return ObjectImage(programs, {})


def test_the_only_program_needs_no_name() -> None:
    assert targets.choose_program(image("lwt_seg6local")).name == "p0"


def test_one_of_several_must_be_named() -> None:
    with pytest.raises(InputError, match="2 programs: p0, p1"):
        targets.choose_program(image("lwt_seg6local", "lwt_in"))
    assert targets.choose_program(image("lwt_seg6local", "lwt_in"), "p1").type == "lwt_in"


def test_a_type_is_given_where_the_section_does_not_say_it() -> None:
    assert targets.choose_program(image(None), type_name="lwt_seg6local").type == "lwt_seg6local"
    with pytest.raises(InputError, match="section 'prog' of program p0 does not say"):
        targets.choose_program(image(None))


def test_a_type_against_the_section_is_refused() -> None:
    with pytest.raises(InputError, match="p0 is lwt_in, as its section 'lwt_in' says, not lwt_xmit"):
        targets.choose_program(image("lwt_in"), type_name="lwt_xmit")


def test_an_unknown_type_names_the_choices() -> None:
    with pytest.raises(InputError, match="no program type 'seg6'") as caught:
        targets.choose_program(image(None), type_name="seg6")
    assert "lwt_seg6local" in (caught.value.hint or "")


# ---------------------------------------------------------------------------------------------------- lazy names


@pytest.mark.parametrize("name", LAZY)
def test_every_lazy_name_is_there(name: str) -> None:
    assert callable(resolve(name))


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy.py").write_text("import no_such_package.part\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SystemLacksError, match="this needs no_such_package, which is not installed"):
        load_module("needy")
