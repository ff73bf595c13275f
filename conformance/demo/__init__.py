"""`make demo`: the main job end to end, on embedded defaults and simulated peers, on loopback only."""
