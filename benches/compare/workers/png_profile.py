"""The profile of a PNG that tells its colours in numbers, gAMA and cHRM, which Pillow reads and leaves alone."""

import struct

SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D50 = (0.9642, 1.0, 0.8249)
# Of Bradford's cone responses, as ICC.1:2022, annex E, has them.
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def _times(matrix, vector):
    return tuple(sum(a * b for a, b in zip(row, vector)) for row in matrix)


def _inverse(m):
    (a, b, c), (d, e, f), (g, h, i) = m
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / determinant for value in row) for row in rows)


def _adapted_primaries(points):
    """Red, green and blue in XYZ under D50, adding up to white."""
    white, *primaries = [(x / y, 1.0, (1 - x - y) / y) for x, y in zip(points[::2], points[1::2])]
    shares = _times(_inverse(tuple(zip(*primaries))), white)
    scales = [to / of for to, of in zip(_times(BRADFORD, D50), _times(BRADFORD, white))]
    for primary, share in zip(primaries, shares):
        cones = _times(BRADFORD, [value * share for value in primary])
        yield _times(_inverse(BRADFORD), [cone * scale for cone, scale in zip(cones, scales)])


def _fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def png_profile(info):
    """An ICC profile of what Pillow calls `gamma` and `chromaticity`; None without a gamma, or for sRGB's."""
    gamma = info.get("gamma")
    points = info.get("chromaticity", SRGB)
    if not gamma or abs(gamma - 0.45455) < 0.01 and points == SRGB:
        return None
    # ICC.1:2022, 10.18: function type 0, Y = X to the power of g.
    curve = b"para\0\0\0\0\0\0\0\0" + _fixed([1 / gamma])
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(D50)}
    for name, primary in zip((b"r", b"g", b"b"), _adapted_primaries(points)):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(primary)
        tags[name + b"TRC"] = curve
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(data), len(value))
        data += value
    header = struct.pack(">I4xI4s4s4s", at + len(data), 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(D50)
    return header.ljust(128, b"\0") + table + data
