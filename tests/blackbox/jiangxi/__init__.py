"""A second client and a province of its own, with other libraries than ours."""
