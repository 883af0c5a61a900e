"""Which streams of an MPEG transport stream belong together: its program tables (ISO/IEC 13818-1, 2.4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from decoders.timeline.files import MediaFile, opened

SYNC = 0x47
_HEAD = 8 << 20  # bytes in which every table has come several times
_PAT, _PAT_TABLE, _PMT_TABLE = 0, 0, 2
_SIZES = ((188, 0), (192, 4), (204, 0))  # packets: plain, with a time before it (M2TS), with parity behind it


def programs(media: MediaFile) -> list[frozenset[int]]:
    """The packet identifiers (PIDs) of each program's streams, as far as the file's beginning says."""
    with opened(media) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(_HEAD)
    tables: set[int] = set()
    found: dict[int, frozenset[int]] = {}
    for pid, section in _sections(data):
        if pid == _PAT and section[0] == _PAT_TABLE:
            for at in range(8, len(section) - 7, 4):
                if int.from_bytes(section[at : at + 2], "big"):  # 0: the network's own table
                    tables.add(int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF)
        elif pid in tables and section[0] == _PMT_TABLE and len(section) > 12:
            found[pid] = frozenset(_streams(section))
    return list(found.values())


def _streams(section: bytes) -> Iterator[int]:
    at = 12 + (int.from_bytes(section[10:12], "big") & 0xFFF)
    while at + 5 <= len(section) - 4:
        yield int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0xFFF)


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(PID, section) of the tables that fit into a packet; larger ones are those of dozens of streams."""
    start, size = _packets(data)
    for at in range(start, len(data) - 187, size):
        packet = data[at : at + 188]
        if packet[0] != SYNC or not packet[1] & 0x40 or not packet[3] & 0x10:
            continue  # nothing begins in it
        body = 5 + packet[4] if packet[3] & 0x20 else 4
        if body >= 184:
            continue
        body += 1 + packet[body]  # the pointer
        length = int.from_bytes(packet[body + 1 : body + 3], "big") & 0xFFF
        section = packet[body : body + 3 + length]
        if len(section) == 3 + length > 12:
            yield (packet[1] & 0x1F) << 8 | packet[2], section


def _packets(data: bytes) -> tuple[int, int]:
    """Where the first packet begins, and how far apart packets are."""
    for start in range(min(len(data), 512)):
        for size, before in _SIZES:
            places = range(start + before, min(len(data), start + before + 5 * size), size)
            if len(places) > 1 and all(data[place] == SYNC for place in places):
                return start + before, size
    return 0, 188
