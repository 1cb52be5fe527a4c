"""The statements of settlement, one function each."""
