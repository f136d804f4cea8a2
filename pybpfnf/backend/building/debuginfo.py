"""Debug metadata in LLVM's text form, of which LLVM makes .BTF and .BTF.ext: types, functions, lines, map definitions.

What the kernel insists on: each parameter of a function has a name (a local variable with `arg:`), and each instruction
of a function that may be inlined has a location; otherwise the BTF vanishes without an error. Files carry their text
in `source:`, so that nothing is read from the disk when the object is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

from pybpfnf.backend.building.values import string
from pybpfnf.diagnostics import Span
from pybpfnf.dsl.types import U8, AddressType, ArrayType, BoolType, FieldType, IntType, OctetsType, StructField, StructType
from pybpfnf.errors import InternalError

# Names as in C, so that `bpftool gen skeleton` and `btf dump` write C from them.
_C_NAMES = {
    ("u", 8): "unsigned char",
    ("u", 16): "unsigned short",
    ("u", 32): "unsigned int",
    ("u", 64): "unsigned long long",
    ("s", 8): "signed char",
    ("s", 16): "short",
    ("s", 32): "int",
    ("s", 64): "long long",
}
_LAST_COLUMN = (1 << 10) - 1  # line_info packs line << 10 | column (include/uapi/linux/bpf.h, BPF_LINE_INFO_LINE_COL)


@final
class DebugInfo:
    """The metadata of one module; nodes are given as `!7`."""

    def __init__(self, sources: Mapping[str, str], main_file: str) -> None:
        self._sources = sources
        self._nodes: list[str] = []
        self._known: dict[str, str] = {}
        self._globals: list[str] = []
        self._files: dict[str, str] = {}
        self._inlined: dict[tuple[str, str, int], str] = {}
        self._calls: dict[tuple[str, ...], int] = {}  # chains of calls that code was inlined through, numbered from 1
        self._static: dict[str, tuple[str, str]] = {}  # of subprograms: the nodes of their types and of their parameters
        self._unit = self._reserve()
        self._main_file = self.file(main_file)

    def node(self, text: str) -> str:
        """A node; equal text is one node."""
        if text not in self._known:
            self._known[text] = self._reserve(text)
        return self._known[text]

    def distinct(self, text: str) -> str:
        """A node of its own, whatever its text."""
        return self._reserve(f"distinct {text}")

    def _reserve(self, text: str = "") -> str:
        self._nodes.append(text)
        return f"!{len(self._nodes) - 1}"

    def finish(self) -> str:
        """All nodes and the named metadata; the end of the module's text."""
        self._nodes[int(self._unit[1:])] = (
            f"distinct !DICompileUnit(language: DW_LANG_C99, file: {self._main_file}, isOptimized: true, runtimeVersion: 0, "
            f"emissionKind: FullDebug, globals: {self.list_of(self._globals)})"
        )
        flags = [self.node(f'!{{i32 {behaviour}, !"{name}", i32 {value}}}') for behaviour, name, value in _MODULE_FLAGS]
        lines = [f"!llvm.dbg.cu = !{{{self._unit}}}", f"!llvm.module.flags = !{{{', '.join(flags)}}}"]
        return "\n".join(lines + [f"!{number} = {text}" for number, text in enumerate(self._nodes)]) + "\n"

    def list_of(self, nodes: Iterable[str]) -> str:
        return self.node(f"!{{{', '.join(nodes)}}}")

    # -------------------------------------------------------------------------------------------- files and lines

    def file(self, name: str) -> str:
        if name not in self._sources:
            raise InternalError(f"the module has no text for the file {name!r}")
        if name not in self._files:
            source = string(self._sources[name].encode())
            self._files[name] = self.node(f'!DIFile(filename: {string(name.encode())}, directory: "", source: {source})')
        return self._files[name]

    def location(self, span: Span, subprogram: str, subprogram_file: str, *, inlined_at: str | None = None) -> str:
        """The place of an instruction; code that comes from another file has a scope there. `inlined_at` is the location of the call
        of the subprogram, where that is inlined in another. The chain of calls has its number as the discriminator (`linetable`)."""
        scope, chain = subprogram, span.callers
        number = self._calls.setdefault(chain, len(self._calls) + 1) if chain else 0
        if number or span.file != subprogram_file:
            scope = self.node(f"!DILexicalBlockFile(scope: {subprogram}, file: {self.file(span.file)}, discriminator: {number})")
        column = span.column if span.column <= _LAST_COLUMN else 0
        at = "" if inlined_at is None else f", inlinedAt: {inlined_at}"
        return self.node(f"!DILocation(line: {span.line}, column: {column}, scope: {scope}{at})")

    @property
    def calls(self) -> tuple[tuple[str, ...], ...]:
        """The chains of calls, by their number less one."""
        return tuple(self._calls)

    def inlined_subprogram(self, name: str, span: Span) -> str:
        """A function of which there is no code but in others; one node, however often it is called."""
        key = (name, span.file, span.line)
        if key not in self._inlined:
            file = self.file(span.file)
            signature = self.node(f"!DISubroutineType(types: {self.list_of([])})")
            self._inlined[key] = self.distinct(
                f"!DISubprogram(name: {string(name.encode())}, scope: {file}, file: {file}, line: {span.line}, type: {signature}, "
                f"scopeLine: {span.line}, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: {self._unit})"
            )
        return self._inlined[key]

    # ------------------------------------------------------------------------------------------------------ types

    def type_of(self, type_: FieldType) -> str:
        match type_:
            case IntType():
                sign = "s" if type_.signed else "u"
                encoding = ("DW_ATE_signed" if type_.signed else "DW_ATE_unsigned") + ("_char" if type_.width == 8 else "")
                return self._basic(_C_NAMES[sign, type_.width], type_.width, encoding)
            case BoolType():
                return self._basic("_Bool", 8, "DW_ATE_boolean")
            case AddressType():
                return self._address()
            case OctetsType(size):
                return self.array_of(self.type_of(U8), 8, size)
            case ArrayType(item, count):
                return self.array_of(self.type_of(item), item.size * 8, count)
            case StructType():
                return self._struct(type_)

    def _struct(self, type_: StructType) -> str:
        """As clang describes it, bit fields too."""
        members = self.list_of([self._field(field) for field in type_.fields])
        head = f'name: "{type_.name}", file: {self._main_file}, size: {type_.size * 8}'
        return self.node(f"!DICompositeType(tag: DW_TAG_structure_type, {head}, elements: {members})")

    def _field(self, field: StructField) -> str:
        size, offset = field.bits or field.type.size * 8, field.offset * 8 + field.shift
        head = f'tag: DW_TAG_member, name: "{field.name}", baseType: {self.type_of(field.type)}, size: {size}, offset: {offset}'
        bit_field = f", flags: DIFlagBitField, extraData: i64 {field.offset * 8}" if field.bits else ""
        return self.node(f"!DIDerivedType({head}{bit_field})")

    def _basic(self, name: str, bits: int, encoding: str) -> str:
        return self.node(f'!DIBasicType(name: "{name}", size: {bits}, encoding: {encoding})')

    def _address(self) -> str:
        octets = self.array_of(self._basic("unsigned char", 8, "DW_ATE_unsigned_char"), 8, 16)
        return self.structure("in6_addr", [("s6_addr", octets, 128)])

    def array_of(self, element: str, element_bits: int, count: int) -> str:
        extent = self.list_of([self.node(f"!DISubrange(count: {count})")])
        return self.node(f"!DICompositeType(tag: DW_TAG_array_type, baseType: {element}, size: {element_bits * count}, elements: {extent})")

    def pointer_to(self, target: str) -> str:
        return self.node(f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {target}, size: 64)")

    def qualified(self, target: str, *, const: bool) -> str:
        """volatile, and const too: what clang has for a variable that others set."""
        volatile = self.node(f"!DIDerivedType(tag: DW_TAG_volatile_type, baseType: {target})")
        return self.node(f"!DIDerivedType(tag: DW_TAG_const_type, baseType: {volatile})") if const else volatile

    def structure(self, name: str, members: Iterable[tuple[str, str, int]]) -> str:
        """Members are (name, type, bits), without gaps. A structure without a name is a node of its own."""
        offset, nodes = 0, []
        for member, type_, bits in members:
            nodes.append(
                self.node(f'!DIDerivedType(tag: DW_TAG_member, name: "{member}", baseType: {type_}, size: {bits}, offset: {offset})')
            )
            offset += bits
        head = f'name: "{name}", ' if name else ""
        what = f"{head}file: {self._main_file}, size: {offset}, elements: {self.list_of(nodes)}"
        text = f"!DICompositeType(tag: DW_TAG_structure_type, {what})"
        return self.node(text) if name else self.distinct(text)

    def opaque_structure(self, name: str, size: int) -> str:
        """Without members but with a size in bytes: a forward declaration would fill the verifier's log with complaints."""
        return self.node(
            f'!DICompositeType(tag: DW_TAG_structure_type, name: "{name}", file: {self._main_file}, '
            f"size: {size * 8}, elements: {self.list_of([])})"
        )

    # ------------------------------------------------------------------------------------- functions and variables

    def subprogram(self, name: str, span: Span, parameter: str, parameter_type: str) -> str:
        """A program's function: one parameter, and an int as result."""
        file, result = self.file(span.file), self._basic("int", 32, "DW_ATE_signed")
        signature = self.node(f"!DISubroutineType(types: {self.list_of([result, parameter_type])})")
        variables = self._reserve()
        subprogram = self.distinct(
            f'!DISubprogram(name: "{name}", scope: {file}, file: {file}, line: {span.line}, type: {signature}, scopeLine: {span.line}, '
            f"flags: DIFlagPrototyped, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: {self._unit}, retainedNodes: {variables})"
        )
        argument = self.node(
            f'!DILocalVariable(name: "{parameter}", arg: 1, scope: {subprogram}, file: {file}, line: {span.line}, type: {parameter_type})'
        )
        self._nodes[int(variables[1:])] = f"!{{{argument}}}"
        return subprogram

    def static_function(self, name: str, span: Span) -> str:
        """A subprogram's function, whose parameters and result `define_static` says."""
        signature, variables, file = self._reserve(), self._reserve(), self.file(span.file)
        function = self.distinct(
            f'!DISubprogram(name: "{name}", scope: {file}, file: {file}, line: {span.line}, type: {signature}, scopeLine: {span.line}, '
            f"flags: DIFlagPrototyped, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: {self._unit}, "
            f"retainedNodes: {variables})"
        )
        self._static[function] = (signature, variables)
        return function

    def define_static(self, function: str, span: Span, result: str, parameters: Sequence[tuple[str, str]]) -> None:
        """Parameters are (name, type); a result of void is `null`."""
        signature, variables = self._static[function]
        self._nodes[int(signature[1:])] = f"!DISubroutineType(types: {self.list_of([result, *(type_ for _, type_ in parameters)])})"
        file = self.file(span.file)
        arguments = [
            self.node(f'!DILocalVariable(name: "{name}", arg: {number}, scope: {function}, file: {file}, line: {span.line}, type: {type_})')
            for number, (name, type_) in enumerate(parameters, 1)
        ]
        self._nodes[int(variables[1:])] = f"!{{{', '.join(arguments)}}}"

    def function(self) -> str:
        """The type of a function of which nothing is said: void (void)."""
        return self.node(f"!DISubroutineType(types: {self.list_of(['null'])})")

    def external(self, name: str, result: str | None, parameters: Iterable[str]) -> str:
        """A function of the kernel; no result is void."""
        signature = self.node(f"!DISubroutineType(types: {self.list_of([result or 'null', *parameters])})")
        head = f'name: "{name}", scope: {self._main_file}, file: {self._main_file}, line: 1, type: {signature}'
        return self.node(f"!DISubprogram({head}, flags: DIFlagPrototyped, spFlags: DISPFlagOptimized)")

    def variable(self, name: str, type_: str) -> str:
        """A global: what LLVM puts in the DATASEC of its section."""
        what = f'name: "{name}", scope: {self._unit}, file: {self._main_file}, type: {type_}'
        variable = self.distinct(f"!DIGlobalVariable({what}, isLocal: false, isDefinition: true)")
        expression = self.node(f"!DIGlobalVariableExpression(var: {variable}, expr: !DIExpression())")
        self._globals.append(expression)
        return expression

    def rolled_loop(self) -> str:
        """What the branch back of a loop that LLVM must not unroll ends with. The node refers to itself, so that it is no other's."""
        loop = self._reserve()
        self._nodes[int(loop[1:])] = f"distinct !{{{loop}, {self.node(_NO_UNROLLING)}}}"
        return f", !llvm.loop {loop}"


_NO_UNROLLING = '!{!"llvm.loop.unroll.disable"}'
_MODULE_FLAGS = ((7, "Dwarf Version", 5), (2, "Debug Info Version", 3))
