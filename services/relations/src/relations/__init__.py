"""Relations: persons, who is insured where, who is whose relative, consent. It touches no money."""
