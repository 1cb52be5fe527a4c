"""The public door: who asks, is it really they, and what are they told.

It holds no rule of money. Rooms, in reading order: edge → usecases → store → domain.
"""
