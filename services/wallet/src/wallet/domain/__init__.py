"""What may happen to a quota: pure rules over immutable values. Nothing here awaits."""
