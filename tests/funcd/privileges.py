"""To have no more rights than a user, even where the tests run as root."""

import ctypes

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_LIBC = ctypes.CDLL(None)


def obey_permissions() -> None:
    """For preexec_fn: modes of files count from the next exec on (capabilities(7)).

    Whoever is not root is refused this, and does not need it.
    """
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
