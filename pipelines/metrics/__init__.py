"""What a job tells of itself: counters, seconds by stage, and how far it is."""
