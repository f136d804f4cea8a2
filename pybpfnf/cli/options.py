"""Arguments and options that several commands share, and what a user types after `--set`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from pybpfnf.abi.programs import PROGRAM_TYPES

F = TypeVar("F", bound=Callable[..., Any])


def assignments(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    """NAME=VALUE texts as a mapping; the values are read by the variable's type later."""
    found = {}
    for text in given:
        name, equals, value = _assignment(text)
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param=parameter)
        if name in found:
            raise click.BadParameter(f"{name} is given twice", param=parameter)
        found[name] = value
    return found


def _assignment(text: str) -> tuple[str, str, str]:
    """As `str.partition` at the first `=`, or for `NAME[KEY]=VALUE` at that after the key, which may be a struct's fields."""
    name = text.partition("=")[0]
    if "[" not in name:
        return text.partition("=")
    entry, end, value = text.partition("]=")
    return (f"{entry}]", "=", value) if end else (text, "", "")


destination_argument = click.argument("destination", metavar="DESTINATION")
target_argument = click.argument("target", metavar="TARGET")
program_option = click.option("--program", metavar="NAME", help="One of several programs in the object.")
type_option = click.option(
    "--type",
    "type_name",
    type=click.Choice(list(PROGRAM_TYPES)),
    help="The program type, where the object's section does not say it.",
)
set_option = click.option(
    "--set",
    "config",
    metavar="NAME=VALUE",
    multiple=True,
    callback=assignments,
    help="Give a Config its value, a State or a map's entry (NAME[KEY]) its first one; may be repeated.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")
table_option = click.option("--table", type=click.IntRange(1, 0xFFFFFFFF), help="The routing table (default: main).")


_LONGEST = 86_400.0  # seconds


def seconds(least: float = 0.0) -> Callable[[click.Context, click.Parameter, Any], float]:
    """The callback of an option that says how long to wait: `0.5`. `nan` and `inf`, which no clock can be told, are beyond it."""

    def read(_context: click.Context, parameter: click.Parameter, given: Any) -> float:
        try:
            found = float(given)
        except ValueError:
            raise click.BadParameter(f"{given!r} is not a number", param=parameter) from None
        if not least <= found <= _LONGEST:
            raise click.BadParameter(f"{given}: from {least:g} to {_LONGEST:g} seconds", param=parameter)
        return found

    return read


attached_option = click.option("--attached", is_flag=True, help="Use what is attached there already, as it is, and leave it there.")


def output_option(help_text: str, *names: str, required: bool = False) -> Callable[[F], F]:
    return click.option(*names, "output", metavar="FILE", type=click.Path(path_type=Path), required=required, help=help_text)


def chosen(command: F) -> F:
    """TARGET with --program, --type and --set."""
    return target_argument(program_option(type_option(set_option(command))))


def perhaps_chosen(command: F) -> F:
    """The same, where another option can stand in place of TARGET."""
    return click.argument("target", metavar="TARGET", required=False)(program_option(type_option(set_option(command))))


def required(context: click.Context, name: str) -> NoReturn:
    """What click says of an argument that is missing."""
    raise click.MissingParameter(ctx=context, param=next(param for param in context.command.params if param.name == name))


def check_alone(context: click.Context, option: str, beside: Collection[str]) -> None:
    """Raises UsageError where anything is given with `option` but what is named in `beside`."""
    own = option.removeprefix("--")
    for param in context.command.params:
        name = param.name or ""
        if name not in (own, *beside) and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            last = param.opts[-1]
            raise click.UsageError(f"{option} does not go with {last if last.startswith('-') else (param.metavar or name).upper()}")
