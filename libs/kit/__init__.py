"""How any Gongji service runs: the door to the database, batches, outbox, consumers, health.

Nothing here knows a word of the domain.
"""
