"""What counts as a difference, for each sort of value of the plan."""

from tasks.collect.series import Tolerance

RATE = Tolerance(floor=0.5, share=0.4)
RATIO = Tolerance(floor=0.02)
LATENCY = Tolerance(floor=0.05, share=0.5)
LATENCY_BETWEEN = Tolerance(floor=0.01, share=0.5)
CORES = Tolerance(floor=0.005, share=0.5, starts_from_nothing=True)
BYTES = Tolerance(floor=32 * 1024.0**2, starts_from_nothing=True)
TRAFFIC = Tolerance(floor=64 * 1024.0, share=0.5)
COUNT = Tolerance(floor=0.5, share=0.0, absent_is_zero=True)
AMOUNT = Tolerance(floor=2.0, share=0.5)
USED = Tolerance(floor=0.1, share=0.1)
FIXED = Tolerance(floor=0.01, share=0.01)
SWITCH = Tolerance(floor=0.5, share=0.0)
UNKNOWN = Tolerance(floor=1e-9, share=0.5)
"""Of what nobody has described: half as much again, however large or small it is."""
