"""One module a construct of the language: its syntax to typed IR, and what may be wrong with it."""
