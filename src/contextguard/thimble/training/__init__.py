"""How thimble is trained; the command stands in ``__main__``."""
