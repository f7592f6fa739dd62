"""What a run is to play, and what each dialog of it has behind it: resumed, forked or replayed."""
