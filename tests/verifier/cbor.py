"""CBOR (RFC 8949) as far as the ledger needs it: one map from unsigned integers to numbers, texts, bytes and true, in the
core deterministic encoding (section 4.2.1)."""

import struct

from refused import Refused, require

UINT, NEGATIVE, BYTES, TEXT, MAP, SIMPLE = 0, 1, 2, 3, 5, 7
LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}
TRUE = 21


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for low, length in LENGTHS.items():
        if number < 1 << 8 * length:
            return bytes([major << 5 | low]) + number.to_bytes(length, "big")
    raise Refused("an integer of more than 64 bits")


def encode_float(value):
    for low, form in FLOATS.items():
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return bytes([SIMPLE << 5 | low]) + packed
    raise Refused("a float that is not a number")


def encode_value(value):
    if value is True:
        return bytes([SIMPLE << 5 | TRUE])
    if isinstance(value, float):
        return encode_float(value)
    if isinstance(value, int):
        return head(UINT, value) if value >= 0 else head(NEGATIVE, -1 - value)
    if isinstance(value, str):
        return head(TEXT, len(value.encode())) + value.encode()
    return head(BYTES, len(value)) + value


def encode(members):
    return head(MAP, len(members)) + b"".join(encode_value(k) + encode_value(members[k]) for k in sorted(members))


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        require(self.at + length <= len(self.data), "CBOR that ends too early")
        self.at += length
        return self.data[self.at - length:self.at]

    def head(self):
        """Major type, the five low bits, and the number that they stand for."""
        first, = self.take(1)
        major, low = first >> 5, first & 31
        if low < 24:
            return major, low, low
        require(low in LENGTHS, "an indefinite length or a reserved one")
        return major, low, int.from_bytes(self.take(LENGTHS[low]), "big")

    def value(self):
        start = self.at
        major, low, number = self.head()
        if major == UINT:
            return number
        if major == NEGATIVE:
            return -1 - number
        if major == BYTES:
            return self.take(number)
        if major == TEXT:
            try:
                return self.take(number).decode()
            except UnicodeDecodeError:
                raise Refused("text that is not UTF-8") from None
        if major == SIMPLE and low == TRUE:
            return True
        require(major == SIMPLE and low in FLOATS, f"a CBOR item of no kind that is used, at byte {start}")
        return struct.unpack(FLOATS[low], self.data[start + 1:self.at])[0]


def decode(data):
    """The map's members. There is one encoding of everything: what encodes otherwise is refused."""
    reader = Reader(data)
    major, _, count = reader.head()
    require(major == MAP, "CBOR that is not a map")
    members = {}
    for _ in range(count):
        key = reader.value()
        require(type(key) is int, "a key that is not an integer")
        members[key] = reader.value()
    require(encode(members) == data, "CBOR that is not in the one deterministic encoding")
    return members
