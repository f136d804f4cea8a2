"""Types as JSON, for what a later process must know of them.

A scalar is its name; `{"octets": 8}`, `{"item": TYPE, "count": 4}`, and a struct with its fields. Defaults are not kept.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pybpfnf.types.layout import SCALAR_TYPES, ArrayType, FieldType, OctetsType, StructField, StructType


def type_document(type_: FieldType | None) -> Any:
    """What `json.dumps` takes, and `type_from` gives the type for."""
    match type_:
        case None:
            return None
        case OctetsType():
            return {"octets": type_.size}
        case ArrayType():
            return {"item": type_document(type_.item), "count": type_.count}
        case StructType():
            return {**asdict(type_), "fields": [_field_document(field) for field in type_.fields]}
        case _:
            return type_.name


def type_from(document: Any) -> FieldType | None:
    """Raises KeyError or TypeError for what `type_document` never gave."""
    if document is None:
        return None
    if isinstance(document, str):
        return SCALAR_TYPES[document]
    if "octets" in document:
        return OctetsType(document["octets"])
    if "item" in document:
        return ArrayType(_known(document["item"]), document["count"])
    fields = tuple(StructField(**{**field, "type": _known(field["type"])}) for field in document["fields"])
    return StructType(**{**document, "fields": fields})


def _field_document(field: StructField) -> dict[str, Any]:
    return {**asdict(field), "type": type_document(field.type), "default": None}


def _known(document: Any) -> FieldType:
    found = type_from(document)
    if found is None:
        raise TypeError("a part of a type has no type")
    return found
