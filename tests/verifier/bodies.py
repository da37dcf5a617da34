"""The bodies of the entries: what each type's map may hold."""

import math

import cbor
from refused import require

READING, KEY, SEAL, GAP, ERASE, ALERT, ASSIGN, CLOCK, CONFIG, ACCESS, ATTRIBUTE, SILENCE = range(1, 13)
BODY_MAX = 4096
RECOVERY = 4  # a GAP's reason


def number(low, high):
    return lambda v: type(v) is int and low <= v <= high


def text(low, high):
    return lambda v: type(v) is str and low <= len(v.encode()) <= high and "\0" not in v


def blob(length):
    return lambda v: type(v) is bytes and len(v) == length


def real(v):
    return type(v) is float and math.isfinite(v)


def true(v):
    return v is True


class Optional:
    def __init__(self, check):
        self.check = check


signed, unsigned, u32, count = number(-2**63, 2**63 - 1), number(0, 2**64 - 1), number(0, 2**32 - 1), number(1, 2**64 - 1)
known_time = Optional(number(-2**63 + 1, 2**63 - 1))
kind = number(0, 3)
bits = Optional(number(1, 65535))
WHEN = {1: signed, 2: signed, 3: u32, 4: Optional(true)}

SCHEMAS = {
    READING: {5: text(0, 63), 6: text(0, 23), 7: Optional(text(1, 15)), 8: real, 9: known_time,
              10: Optional(unsigned), 11: Optional(number(1, 65535)), 12: known_time},
    KEY: {5: text(0, 63), 6: kind, 7: blob(16), 8: blob(32)},
    SEAL: {5: unsigned, 6: unsigned, 7: unsigned, 8: unsigned, 9: blob(32), 10: signed, 11: signed, 12: blob(32)},
    GAP: {5: number(0, 5), 6: Optional(text(1, 63)), 7: known_time, 8: known_time, 9: Optional(count), 10: Optional(count),
          11: Optional(text(1, 1023))},
    ALERT: {5: text(0, 39), 6: text(0, 63), 7: blob(32), 8: number(0, 3), 9: number(0, 4), 10: Optional(text(1, 63)),
            11: Optional(real), 12: signed, 13: signed, 14: Optional(text(1, 255)), 15: Optional(number(1, 10)),
            16: known_time, 17: known_time, 18: Optional(text(1, 159)), 19: Optional(text(1, 63)),
            20: Optional(text(1, 159)), 21: Optional(text(1, 63)), 22: Optional(number(1, 2**32 - 1))},
    ASSIGN: {5: text(0, 63), 6: Optional(text(1, 63)), 7: number(0, 2), 8: Optional(text(1, 63)), 9: u32},
    CLOCK: {5: number(0, 3), 6: blob(16), 7: Optional(signed)},
    CONFIG: {5: blob(32), 6: blob(32), 7: text(0, 31)},
    ACCESS: {5: u32, 6: text(0, 31), 7: Optional(text(1, 63)), 8: Optional(text(1, 23)), 9: known_time, 10: known_time},
    ATTRIBUTE: {5: text(0, 63), 6: text(0, 23), 7: Optional(text(1, 31)), 8: u32, 9: Optional(text(1, 159))},
    SILENCE: {5: text(0, 23), 6: Optional(true), 7: signed, 8: signed, 9: Optional(text(1, 63)),
              10: Optional(text(1, 63)), 11: Optional(text(1, 63)), 12: Optional(text(1, 159)), 13: bits, 14: bits,
              15: Optional(text(1, 63)), 16: Optional(text(1, 159))},
}


def parse(entry_type, data):
    """The members of a plain body of this type."""
    require(len(data) <= BODY_MAX, "a body that is too long")
    require(entry_type in SCHEMAS, f"a plain body of type {entry_type}, for which none is defined")
    members = cbor.decode(data)
    schema = WHEN | SCHEMAS[entry_type]
    for key, value in members.items():
        require(key in schema, f"a member {key} that is not listed")
        check = schema[key].check if isinstance(schema[key], Optional) else schema[key]
        require(check(value), f"member {key} is not what it should be")
    for key, check in schema.items():
        require(key in members or isinstance(check, Optional), f"member {key} is missing")
    return members
