"""`prisam soak --unplanned`: signals from outside, full disks and few descriptors, by no plan."""
