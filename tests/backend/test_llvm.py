"""The worker that LLVM runs in: its deaths, refusals and complaints are errors here, and the process goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf import llvm
from pybpfnf.errors import InternalError, SystemLacksError

GOOD = 'define i32 @f(ptr %ctx) nounwind section "s" { ret i32 0 }'
FATAL = {
    "signed division": 'define i32 @f(i32 %a, i32 %b) section "s" { %c = sdiv i32 %a, %b ret i32 %c }',
    "a built-in function": """declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
        define i32 @f(ptr %p, i64 %n) section "s" { call void @llvm.memset.p0.i64(ptr %p, i8 0, i64 %n, i1 false) ret i32 0 }""",
    "a function named as its section": 'define i32 @s(ptr %ctx) section "s" { ret i32 0 }',
}
ABORTS = 'define i64 @f(ptr %p) section "s" { %v = load atomic i64, ptr %p acquire, align 8 ret i64 %v }'


@pytest.fixture(autouse=True)
def _no_warning_is_dropped() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_module_becomes_an_object_for_bpf() -> None:
    data = llvm.emit_object(GOOD)
    assert data[:4] == b"\x7fELF"
    assert int.from_bytes(data[18:20], "little") == 247  # EM_BPF


@pytest.mark.parametrize("what", FATAL)
def test_a_death_of_llvm_is_an_internal_error_that_says_what_it_said(what: str) -> None:
    with pytest.raises(llvm.LlvmDiedError, match="exit status 1") as caught:
        llvm.emit_object(FATAL[what])
    assert "error: " in caught.value.said
    assert llvm.emit_object(GOOD)


def test_an_abort_is_an_internal_error_too() -> None:
    with pytest.raises(llvm.LlvmDiedError, match="signal 6"):
        llvm.emit_object(ABORTS)
    assert llvm.emit_object(GOOD)


def test_text_that_does_not_parse_or_verify_is_an_internal_error_and_no_death() -> None:
    llvm.emit_object(GOOD)
    before = list(llvm._KEPT)
    for text in ("define nonsense", "define i32 @f() { ret i64 0 }"):
        with pytest.raises(InternalError, match="LLVM refuses"):
            llvm.emit_object(text)
    assert before == llvm._KEPT


def test_a_complaint_without_a_death_is_an_internal_error() -> None:
    """A call without a place in a function that has debug metadata: LLVM says so on stderr, drops the metadata and goes on."""
    text = """define internal i32 @g(i32 %a) !dbg !4 { ret i32 %a, !dbg !5 }
        define i32 @f(ptr %ctx) section "s" !dbg !6 { %r = call i32 @g(i32 3) ret i32 %r, !dbg !7 }
        !llvm.dbg.cu = !{!0}
        !llvm.module.flags = !{!2, !3}
        !0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, emissionKind: FullDebug)
        !1 = !DIFile(filename: "f.py", directory: "")
        !2 = !{i32 7, !"Dwarf Version", i32 5}
        !3 = !{i32 2, !"Debug Info Version", i32 3}
        !4 = distinct !DISubprogram(name: "g", scope: !1, file: !1, line: 1, type: !8, spFlags: DISPFlagDefinition, unit: !0)
        !5 = !DILocation(line: 1, scope: !4)
        !6 = distinct !DISubprogram(name: "f", scope: !1, file: !1, line: 2, type: !8, spFlags: DISPFlagDefinition, unit: !0)
        !7 = !DILocation(line: 2, scope: !6)
        !8 = !DISubroutineType(types: !{null})"""
    with pytest.raises(InternalError, match=r"LLVM complains about (?s:.*)ignoring invalid debug info"):
        llvm.emit_object(text)


def test_a_killed_worker_is_replaced() -> None:
    llvm.emit_object(GOOD)
    os.kill(llvm._KEPT[0].pid, signal.SIGKILL)
    with pytest.raises(InternalError, match="signal 9"):
        llvm.emit_object(GOOD)
    assert llvm.emit_object(GOOD)


def test_the_worker_is_kept() -> None:
    llvm.emit_object(GOOD)
    first = llvm._KEPT[0].pid
    llvm.emit_object(GOOD)
    assert llvm._KEPT[0].pid == first


def test_threads_take_turns() -> None:
    names = [f"f{number}" for number in range(8)]
    results: dict[str, bytes] = {}

    def compile_(name: str) -> None:
        results[name] = llvm.emit_object(f'define i32 @{name}(ptr %ctx) section "s" {{ ret i32 0 }}')

    threads = [threading.Thread(target=compile_, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(name.encode() + b"\0" in results[name] for name in names)


RUN = [sys.executable, "-W", "error", "-c"]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)


def test_a_fork_of_the_process_has_a_worker_of_its_own_and_ends() -> None:
    code = f"""
import os
from pybpfnf import llvm
llvm.emit_object({GOOD!r})
child = os.fork()
data = llvm.emit_object({GOOD!r})
if child:
    print(os.waitpid(child, 0)[1], len(data))
"""
    done = run(code)
    assert (done.returncode, done.stderr, done.stdout.split()[0]) == (0, "", "0")


def test_nothing_is_left_when_the_process_ends() -> None:
    done = run(f"from pybpfnf import llvm; llvm.emit_object({GOOD!r}); print(llvm._KEPT[0].pid)")
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_without_llvmlite_the_error_names_it() -> None:
    code = f"""
import sys
from pybpfnf import llvm
from pybpfnf.errors import SystemLacksError
sys.path[:] = [entry for entry in sys.path if not entry.endswith("-packages")]
try:
    llvm.emit_object({GOOD!r})
except SystemLacksError as error:
    print(error, error.hint)
"""
    done = run(code)
    assert done.stdout == "compiling needs the Python package llvmlite, which is not installed pip install 'llvmlite>=0.45'\n"


def test_an_llvmlite_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    package = tmp_path / "llvmlite"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libllvmlite.so: wrong ELF class')\n")
    code = f"""
from pybpfnf import llvm
from pybpfnf.errors import SystemLacksError
try:
    llvm.emit_object({GOOD!r})
except SystemLacksError as error:
    print(error)
"""
    done = run(code, PYTHONPATH=str(tmp_path))
    assert done.stdout == "llvmlite cannot be used: libllvmlite.so: wrong ELF class\n"
    assert done.stderr == ""


def test_the_compiler_itself_never_loads_llvm() -> None:
    code = f"import sys; from pybpfnf import llvm; llvm.emit_object({GOOD!r}); print('llvmlite' in sys.modules)"
    assert run(code).stdout == "False\n"


def test_an_empty_interpreter_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for worker in list(llvm._KEPT):
        llvm._stop(worker)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(SystemLacksError, match="Python interpreter"):
        llvm.emit_object(GOOD)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where this was started in the background, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_a_worker_that_is_busy() -> None:
    """Ctrl-C does not wait for LLVM, which hears of it when the module is done."""
    llvm.emit_object(GOOD)
    (worker,) = llvm._KEPT
    os.kill(worker.pid, signal.SIGSTOP)  # as busy as can be
    # To this thread: another would take it without waking this one.
    threading.Timer(0.2, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        llvm.emit_object(GOOD)
    assert time.monotonic() - before < 5
    assert llvm.emit_object(GOOD)
