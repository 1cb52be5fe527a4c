"""The outside world, played for real over the public contract alone.

Provincial cores that keep accounts and speak Kafka only, an e-certificate decoder, a token issuer,
institutions that sign, and the story that `make run` tells. Nothing here imports a service or
reads its database.
"""
