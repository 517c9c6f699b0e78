"""The rules of the product, pure: no I/O, and no clock of its own."""
