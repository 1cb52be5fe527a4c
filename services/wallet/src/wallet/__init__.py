"""The wallet: the only ledger of quota money. It knows no name and no identity number."""
