"""Numbers that several steps share."""

EV_PER_A3_IN_GPA = 160.21766208
ROOM_TEMPERATURE_K = 300.0
