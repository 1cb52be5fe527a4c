"""The statements of the wallet, one function each."""
