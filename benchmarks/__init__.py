"""What planning and prefill cost, measured on this machine: ``python -m benchmarks``.

One thread, no network, random features and weights of real size. Nothing here fails: targets are
printed beside the measurements.
"""
