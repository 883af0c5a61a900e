"""Which packets must be decoded so that the wanted frames come out as a full decode would give them.

    decoding order   I  P  b  B  b  P  b  B  b | I ...      | I ...
    wanted                    ^
    action           D  D  S  D  x  x  x  x  x | x x x ...  | D ...

D decode; S decode unless no other frame refers to it; x never reaches the decoder. A wanted frame needs
nothing that comes after it, and nothing before the last place where decoding may start.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.timeline.bitstream import OPEN_GOPS, SKIPS_NONREF
from decoders.timeline.timeline import Timeline
from decoders.timeline.track import Track
from schemas.grid import Nanoseconds


class Action(enum.IntEnum):
    """What happens to one packet."""

    DROP = 0
    SKIP_NONREF = 1
    DECODE = 2


@dataclass(frozen=True)
class OnScreen:
    """The frames on screen at some instants, in order of presentation.

    Attributes:
        packets: int64 [frames], their packets' places in decoding order.
        ranks: int64 [frames], their places in the order of presentation of all frames.
        start_ns, end_ns: int64 [frames], when each is on screen, in the media's time.
    """

    packets: npt.NDArray[np.int64]
    ranks: npt.NDArray[np.int64]
    start_ns: Nanoseconds
    end_ns: Nanoseconds


def on_screen(timeline: Timeline, instants_ns: Nanoseconds) -> OnScreen | None:
    """Which frames are on screen at `instants_ns`, by the packets' timestamps; None if two share one."""
    track = timeline.video
    assert track is not None
    shown = np.flatnonzero(~track.discard)
    order = shown[np.argsort(track.pts[shown], kind="stable")]
    pts = track.pts[order]
    if not order.size or (np.diff(pts) <= 0).any():
        return None
    starts = np.fromiter((timeline.pts_to_ns(track, tick) for tick in pts.tolist()), np.int64, len(pts))
    last_end = timeline.pts_to_ns(track, int(pts[-1] + track.duration[order[-1]]))
    ends = np.append(starts[1:], last_end)
    visible = instants_ns[(instants_ns >= starts[0]) & (instants_ns < last_end)]
    ranks = np.unique(np.searchsorted(starts, visible, "right") - 1)
    return OnScreen(order[ranks], ranks, starts[ranks], ends[ranks])


@dataclass(frozen=True)
class Plan:
    """What to decode, and which of it is wanted.

    Attributes:
        action: uint8 [packets], Action, in decoding order.
        wanted: the frames that must come out.
    """

    action: npt.NDArray[np.uint8]
    wanted: OnScreen


def plan(timeline: Timeline, instants_ns: Nanoseconds) -> Plan | None:
    """The cheapest exact way to the frames on screen at `instants_ns`.

    None where only a full decode is exact: the container has no presentation times, two frames have the
    same one, or the stream begins in the middle of a group.
    """
    track = timeline.video
    assert track is not None
    wanted = on_screen(timeline, instants_ns)
    if wanted is None or (track.ordered and not (track.intra_only or track.ranked)):
        return None
    if track.whole_from or (track.starts.any() and not (track.starts[0] or track.intra_only)):
        return None
    return Plan(_actions(track, wanted.packets), wanted)


SHARE_FRAMES = 8  # wanted frames that a share's stretch of whole groups has at least
WORTH_SHARING = 1.5  # times as fast, counted in packets: about what FFmpeg's frame threads give on two cores


@dataclass(frozen=True)
class Shares:
    """A plan dealt out to several decoders, stretch by stretch.

    Attributes:
        plans: one a decoder.
        owner: int64 [frames], whose plan each wanted frame is in.
    """

    plans: tuple[Plan, ...]
    owner: npt.NDArray[np.int64]


def share(track: Track, plan: Plan, decoders: int) -> Shares:
    """Deal a plan's groups of pictures out in turns, so that no group is decoded twice.

    A stretch never begins with frames that need the group before it. One share where the groups are so few
    or so unequal that a decoder of several threads is quicker.
    """
    wanted = plan.wanted
    group = _groups(track)[0][wanted.packets]
    leading = _leading(track)[wanted.packets]
    begins = np.diff(group, prepend=-1) != 0
    stuck = np.unique(group[leading])
    begins &= ~np.isin(group, stuck)
    owner = np.zeros(len(group), np.int64)
    stretch, size = 0, 0
    for row, begin in enumerate(begins.tolist()):
        if begin and size >= SHARE_FRAMES:
            stretch, size = stretch + 1, 0
        owner[row] = stretch % decoders
        size += 1
    plans = []
    for decoder in range(min(decoders, stretch + 1)):
        rows = owner == decoder
        mine = OnScreen(wanted.packets[rows], wanted.ranks[rows], wanted.start_ns[rows], wanted.end_ns[rows])
        plans.append(Plan(_actions(track, mine.packets), mine))
    work = [np.count_nonzero(each.action) for each in plans]
    if sum(work) <= WORTH_SHARING * max(work, default=0):
        return Shares((plan,), np.zeros_like(owner))
    return Shares(tuple(plans), owner)


def _groups(track: Track) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The group of every packet, and the packet that every group starts with."""
    if track.intra_only:
        every = np.arange(len(track.pts))
        return every, every
    starts = np.flatnonzero(track.starts)
    if not starts.size or starts[0]:
        starts = np.insert(starts, 0, 0)
    return np.searchsorted(starts, np.arange(len(track.pts)), "right") - 1, starts


def _leading(track: Track) -> npt.NDArray[np.bool_]:
    """Which packets are shown before their group's first: they may need the group before."""
    group, starts = _groups(track)
    if track.codec not in OPEN_GOPS:
        return np.zeros(len(track.pts), np.bool_)
    return np.asarray((track.pts < track.pts[starts][group]) & (group > 0))


def _actions(track: Track, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    count = len(track.pts)
    action = np.zeros(count, np.uint8)
    action[wanted] = Action.DECODE
    if track.intra_only:
        return action
    group, starts = _groups(track)
    bounds = np.append(starts, count)
    leading = _leading(track)
    until = np.zeros(len(starts), np.int64)  # a group is decoded up to here, exclusive
    np.maximum.at(until, group[wanted], wanted + 1)
    for index in np.unique(group[wanted[leading[wanted]]]):
        until[index - 1] = bounds[index]
    needed = np.arange(count) < until[group]
    whole_before = np.append(False, until[:-1] == bounds[1:-1])[group]
    needed &= ~leading | whole_before | (action == Action.DECODE)
    may_skip = (track.layer == track.layer.max()) & (track.codec in SKIPS_NONREF)
    action[needed] = np.where(may_skip, Action.SKIP_NONREF, Action.DECODE)[needed]
    action[wanted] = Action.DECODE
    return action
