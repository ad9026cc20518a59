"""The unit tests are short-lived: what they leave need not be looked for as often as usual."""

import gc

gc.set_threshold(50_000, 20, 100)
