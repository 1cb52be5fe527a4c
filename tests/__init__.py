"""Everything that proves Gongji, from one pure function to the whole stack."""
