"""One command that measures this project beside its peers, in one run, as ratios of CPU time."""
