"""How thimble is trained: ``torchrun --nproc-per-node 2 -m contextguard.thimble.training``."""
