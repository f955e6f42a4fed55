"""Who answers the caller: a script, or a language model."""
