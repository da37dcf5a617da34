"""What every part of the verifier says where something is not exactly as docs/ledger-format.md describes it."""


class Refused(Exception):
    """The message says what is wrong."""


def require(condition, what):
    if not condition:
        raise Refused(what)
