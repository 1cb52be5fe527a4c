"""Where the gateway meets its callers and its neighbours: translation, nothing else.

endpoint     one public route: who asks, what exactly, and the answer on its way out
signatures   callers that sign (institutions)
tokens       callers with a bearer token (citizens, clerks)
neighbours   whom they ask: relations wallet settlement decoder
presences payments my_… periods statements …    what the routes do
"""
