"""A test picture with a tone, pushed by RTMP: colour bars, a bouncing ball, the time, a beep and a flash each second."""
