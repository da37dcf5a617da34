"""The contract ABI as far as the contract needs it: one level of static and dynamic values."""

STATIC = ("address", "bool", "uint64", "uint256", "bytes32")


def word(kind, value):
    if kind == "bytes32":
        assert len(value) == 32
        return value
    if kind == "address":
        value = int(value, 16)
    return int(value).to_bytes(32, "big")


def padded(data):
    return word("uint256", len(data)) + data + bytes(-len(data) % 32)


def encode_dynamic(kind, value):
    if kind.endswith("[]"):
        return word("uint256", len(value)) + b"".join(word(kind[:-2], v) for v in value)
    return padded(value.encode() if kind == "string" else value)


def encode(kinds, values):
    assert len(kinds) == len(values)
    heads, tails = [], b""
    for kind, value in zip(kinds, values):
        if kind in STATIC:
            heads.append(word(kind, value))
        else:
            heads.append(word("uint256", 32 * len(kinds) + len(tails)))
            tails += encode_dynamic(kind, value)
    return b"".join(heads) + tails


def decode_word(kind, data):
    assert len(data) == 32
    if kind == "bytes32":
        return data
    number = int.from_bytes(data, "big")
    if kind == "address":
        return f"0x{number:040x}"
    return bool(number) if kind == "bool" else number


def decode(kinds, data):
    values = []
    for i, kind in enumerate(kinds):
        head = data[32 * i:32 * i + 32]
        if kind in STATIC:
            values.append(decode_word(kind, head))
        else:
            at = int.from_bytes(head, "big")
            length = int.from_bytes(data[at:at + 32], "big")
            value = data[at + 32:at + 32 + length]
            assert kind in ("string", "bytes") and len(value) == length
            values.append(value.decode() if kind == "string" else value)
    return values
