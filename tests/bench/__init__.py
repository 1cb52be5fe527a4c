"""The benchmark: `python -m tests.bench`, or `make bench`. Nothing here is collected as a test.

choice ─▶ ground (servers, processes, people with quotas) ─▶ cases ─▶ bench.json, report, plots

Every case says what the machine did beside it, and ends with I1-I5: speed is never bought with
loss.
"""
