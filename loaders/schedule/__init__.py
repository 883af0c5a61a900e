"""What is read when, by which rank: pure functions of the index, a seed, the epoch and the steps taken."""
