"""What calls would cost: profiles, comparisons, decisions."""
