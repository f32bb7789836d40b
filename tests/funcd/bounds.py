"""Seconds after which a test takes what it waits for as hanging.

A promise about time is said by the test of it. Tests run beside each other on two cores, and the
optimizing compiler, which is niced, yields to all of them.
"""

DONE_S_MAX = 60.0
COMPILED_S_MAX = 300.0
