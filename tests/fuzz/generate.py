"""A random network function as Python source: the same seed, the same text.

Everything that it computes becomes visible: what its locals hold at the end is stored in maps, which are compared with the
verdict, the variables and the packet.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from pybpfnf.dsl.types import ADDRESS, BOOL, S64, IntType, ValueType
from tests.fuzz.events import DECLARATIONS as EVENT_DECLARATIONS
from tests.fuzz.expressions import ADDRESSES, literal, type_name
from tests.fuzz.functions import functions
from tests.fuzz.queues import DECLARATIONS as QUEUE_DECLARATIONS
from tests.fuzz.scope import INTEGERS, Global, Scope, Store
from tests.fuzz.statements import block
from tests.fuzz.structs import DECLARATIONS
from tests.fuzz.tlvs import DECLARATIONS as TLV_DECLARATIONS
from tests.fuzz.views import DECLARATIONS as VIEW_DECLARATIONS

_IMPORTS = """\
from pybpfnf import (
    DROP, OK, Array, Config, Hash, Header, IPv6Address, LpmTrie, LruHash, LruPerCpuHash, PerCpuArray, PerCpuHash, Prefix, Queue, RingBuf,
    Seg6Packet, Stack, State, Struct, Tlv, Verdict, array, bits, cpu, func, log, octets, seg6local,
    s8, s16, s32, s64, u8, u16, u32, u64,
)


ZERO, SMALL, BYTE, NEGATIVE = 0, 7, 255, -3
MANY = (1, -70000, 65536)


"""  # fmt: skip
_OUT = 12  # locals that are shown
_PLENTY = 1024  # entries of a map that drops some when it is full: which ones is nobody's contract
_ZEROS: Mapping[ValueType, str] = {BOOL: "False", ADDRESS: 'IPv6Address("::")'}


def generate(random: Random, statements: int = 10) -> str:
    """The text of a module with one program, `function`."""
    scope = Scope(random, (), (), raw=random.randrange(2) == 0)
    scope.globals = tuple(_globals(scope))
    scope.stores = tuple(_stores(scope))
    helpers = functions(scope)
    body = block(scope, random.randint(2, statements), 2)
    states = [each.name for each in scope.globals if each.kind == "State"]
    lines = [f"global {', '.join(states)}"] if states else []
    lines += [*body, *_shown(scope), "return OK"]
    on_fault = random.choice(("@seg6local", "@seg6local(on_fault=OK)"))
    head = [_declaration(each) for each in scope.globals] + [_definition(each) for each in scope.stores]
    head += [f"out = Array(s64, {_OUT})", f"seen = Array(IPv6Address, {_OUT})"]
    text = [*head, *helpers, "", "", on_fault, "def function(pkt: Seg6Packet) -> Verdict:", *("    " + line for line in lines)]
    declarations = TLV_DECLARATIONS + VIEW_DECLARATIONS + DECLARATIONS + EVENT_DECLARATIONS + QUEUE_DECLARATIONS
    return _IMPORTS + declarations + "\n".join(text) + "\n"


def _globals(scope: Scope) -> list[Global]:
    """States of every type to read inputs from, and some Configs."""
    found = [Global(f"s_{type_}", "State", type_, literal(scope, type_)) for type_ in scope.random.sample(INTEGERS, 6)]
    found += [
        Global("s_bool", "State", BOOL, scope.random.choice(("True", "False"))),
        Global("s_address", "State", ADDRESS, _address(scope)),
    ]
    for type_ in scope.random.sample(INTEGERS, 2):
        found.append(Global(f"c_{type_}", "Config", type_, literal(scope, type_)))
    return found


def _stores(scope: Scope) -> list[Store]:
    random = scope.random
    kinds = ("Array", "PerCpuArray", "Hash", "Hash", "LruHash", "PerCpuHash", "LruPerCpuHash", "LpmTrie")
    return [_store(scope, f"m{number}", random.choice(kinds)) for number in range(random.randint(1, 3))]


def _store(scope: Scope, name: str, kind: str) -> Store:
    random = scope.random
    value = random.choices((random.choice(INTEGERS), BOOL, ADDRESS), (8, 1, 1))[0]
    if kind == "LpmTrie":
        return Store(name, kind, value, random.randint(1, 5), ADDRESS)
    if "Hash" not in kind:
        return Store(name, kind, value, random.randint(1, 5))
    key = random.choices((random.choice(INTEGERS), ADDRESS), (8, 1))[0]
    default = None
    if random.randrange(2):
        default = _ZEROS.get(value, "0") if "PerCpu" in kind else _constant(scope, value)
    return Store(name, kind, value, _PLENTY if "Lru" in kind else random.randint(1, 5), key, default)


def _constant(scope: Scope, type_: ValueType) -> str:
    if isinstance(type_, IntType):
        return literal(scope, type_)
    return scope.random.choice(("True", "False")) if type_ == BOOL else _address(scope)


def _address(scope: Scope) -> str:
    return f'IPv6Address("{scope.random.choice(ADDRESSES)}")'


def _declaration(each: Global) -> str:
    given = "initial" if each.kind == "State" else "default"
    return f"{each.name} = {each.kind}({type_name(each.type)}, {given}={each.initial})"


def _definition(store: Store) -> str:
    value, default = type_name(store.value), "" if store.default is None else f", default={store.default}"
    if store.key is None:
        return f"{store.name} = {store.kind}({value}, {store.size})"
    return f"{store.name} = {store.kind}({type_name(store.key)}, {value}, {store.size}{default})"


def _shown(scope: Scope) -> list[str]:
    """The locals' last values, stored."""
    lines = []
    for index, (name, type_) in enumerate(list(scope.locals.items())[-_OUT:]):
        value = name if type_ in (ADDRESS, S64) else f"s64({name})"
        lines.append(f"{'seen' if type_ == ADDRESS else 'out'}[{index}] = {value}")
    return lines
