"""The story that `make run` tells, and what it proves in the end.

scenario    who plays, in which order
opening     people, wallets, relations, quotas
counter     what happens at the pharmacy
months      what happens to the month, and to the two after it
verdict     the invariants, and what of them holds
chaos       a process is killed at the worst moment
town        everybody who takes part, and where they are reached
teller      what is shown on the way
"""
