"""The in-process VM: programs run on packets here, without root and without a kernel."""

from __future__ import annotations

from pybpfnf.vm.engines import WORTH_A_BATCH, Engine, run_program
from pybpfnf.vm.machine import Result
from pybpfnf.vm.session import VmRunner, VmSession
from pybpfnf.vm.tails import Chained
from pybpfnf.vm.trace import SlotRecorder, Tracer

__all__ = ["WORTH_A_BATCH", "Chained", "Engine", "Result", "SlotRecorder", "Tracer", "VmRunner", "VmSession", "run_program"]
