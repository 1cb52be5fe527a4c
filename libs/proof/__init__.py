"""The invariants as checkers: what has to be true of a system whatever happened to it.

rows       what the checkers look at: plain rows, wherever they were read
answers    I1 nothing lost, I2 nothing double
ledger     I3 conservation, I4 no overdraft, I5 balances equal entries
sagas      I6 every saga ends, or is parked with a reason
delivery   I7 all published and all consumed, I8 in order and without a gap
months     I9 months tie out in every tier, and closing again changes no byte
prefunds   I9 prefunds are what was deposited, and used for what is not paid yet
privacy    I12 nobody's number or name where it does not belong
mirror     I13 what provinces have frozen is what the wallet counts on

adapters, databases, month_rows and month_answers read these rows; report asks everything of a
running stack; watch asks I3 and I4 all the time while something happens. A checker is a pure
function from rows to violations, each a sentence; no violation is a proof for these rows.
"""
