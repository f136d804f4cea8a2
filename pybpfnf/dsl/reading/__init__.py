"""What is read before anything is built: a file imported as an operator gives it, the text and the syntax tree of its functions."""
