"""What the gateway keeps: one statement, one function. Tables are named without a schema."""
