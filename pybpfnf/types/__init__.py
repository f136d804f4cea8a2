"""The data types of the language: what they are (`layout`), and their values as bytes, both ways (`scalars`, `values`).

The compiler, the reader of objects and what shows maps to Python all speak of these. What the compiler alone knows is in `dsl.types`.
"""
