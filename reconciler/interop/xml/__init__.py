"""XML itself: documents read with bounds and with the line of each finding, and how texts are written into one."""
