"""The story that `make run` tells, and what it proves in the end.

scenario    the chapters, in their order
cast        who plays: three families in five provinces
opening     wallets, relations, quotas
shares      who shares with whom, and what has become of it so far
counter     bills, presence, payment
pharmacy    a chapter: a payment from two provinces
stay        a chapter: holds, a part capture, a refund, reversals
levy        a chapter: premiums
visits      a chapter: treated all over the country
leaving     a chapter: an insurance that moves away
months      a chapter: what happens to the month, and to the two after it
verdict     a chapter: the invariants, and what of them holds
chaos       a process is killed at the worst moment
town        everybody who takes part, and where they are reached
teller      what is shown on the way
record      what was seen, for the page
flows       who owes whom by the statements, as a matrix and a picture
elements    HTML as a tree
page        the page that is left behind
"""
