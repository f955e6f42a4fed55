"""What the calls of one gateway process share."""
