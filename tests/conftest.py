"""How hypothesis runs here: as long as it needs, and the same examples each time. And Ctrl-C."""

import signal

import effort
from hypothesis import HealthCheck, settings

settings.register_profile(
    "compactmask",
    deadline=None,
    derandomize=True,
    max_examples=effort.of(10, 30, 400),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("compactmask")

# A shell lets what it starts in the background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
