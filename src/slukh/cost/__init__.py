"""Usage, the ledger, and what a call cost."""
