"""Many dreams: a plan of jobs, done by workers on this machine or on a cluster."""
