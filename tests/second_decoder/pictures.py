"""The symbols of all pictures of a stream: docs/default-model.md, "Payload of one picture"."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.second_decoder.fields import Damage
from tests.second_decoder.header import Video
from tests.second_decoder.presence import Cells, decode_presence
from tests.second_decoder.priors import Place, Prior
from tests.second_decoder.range_decoder import frequencies_of
from tests.second_decoder.step_map import StepMap, decode_map
from tests.second_decoder.symbols import Integers, SymbolDecoder, tables_of
from tests.second_decoder.weights import Weights

LARGEST_QUALITY = 1008
QUALITIES = tables_of(
    [frequencies_of([1] * 1010), frequencies_of([1] * 32 + [1000] + [1] * 32 + [4])],
    [0, -32],
)


@dataclass(frozen=True)
class State:
    """What a picture leaves for the next one."""

    quality: int
    says_presence: bool
    step_map: StepMap | None
    motion: Integers
    residual: Integers
    motion_presence: Cells | None = None
    residual_presence: Cells | None = None


class PictureDecoder:
    """Decodes the symbols of one picture after the other."""

    def __init__(self, video: Video, weights: Weights) -> None:
        self._height, self._width = -(-video.height // 16), -(-video.width // 16)
        self._cells = (-(-self._height // 4), -(-self._width // 4))
        self._intra, self._motion, self._residual = (Prior(weights, kind) for kind in ("intra", "motion", "residual"))
        self._state: State | None = None

    def decode(self, payload: bytes, key: bool) -> str:
        """The hash of the symbols of a picture."""
        decoder = SymbolDecoder(payload)
        before = None if key else self._state
        if not key and before is None:
            raise Damage("an inter picture without the picture before")
        self._state = None
        state = self._start(decoder, before)
        self._state = self._intra_picture(decoder, state) if key else self._inter_picture(decoder, state, before)
        return decoder.hash

    def _start(self, decoder: SymbolDecoder, before: State | None) -> State:
        """Quality and steps, and contexts as after an intra picture."""
        value = decoder.call([0 if before is None else 1], QUALITIES)[0]
        changes = max((value + 2048) // 4096, 0)
        quality = value - 4096 * changes + (before.quality if before else 0)
        if changes > 3 or not 0 <= quality <= LARGEST_QUALITY:
            raise Damage(f"a quality of {quality} with changes {changes}")
        map_before = before.step_map if before else None
        has_map = (map_before is not None) != bool(changes & 1)
        says_presence = (before is not None and before.says_presence) != bool(changes & 2)
        step_map = decode_map(decoder, self._height, self._width, map_before) if has_map else None
        motion, residual = (
            np.zeros((prior.channels, self._height, self._width), np.int64) for prior in (self._motion, self._residual)
        )
        return State(quality, says_presence, step_map, motion, residual)

    def _place(self, state: State, presence: Cells | None) -> Place:
        widths = np.zeros((self._height, self._width), np.int64)
        if state.step_map is not None:
            for position, width in state.step_map.widths.items():
                widths[position] = width
        present = np.ones(self._cells, np.bool_) if presence is None else presence
        return Place(self._height, self._width, state.quality, widths, present)

    def _intra_picture(self, decoder: SymbolDecoder, state: State) -> State:
        self._intra.decode(decoder, self._place(state, None), None)
        return state

    def _inter_picture(self, decoder: SymbolDecoder, state: State, before: State | None) -> State:
        assert before is not None
        motion_presence = residual_presence = None
        if state.says_presence:
            motion_presence = decode_presence(decoder, self._cells, before.motion_presence, None)
        motion = self._motion.decode(decoder, self._place(state, motion_presence), before.motion)
        if state.says_presence:
            residual_presence = decode_presence(decoder, self._cells, before.residual_presence, motion_presence)
        context = np.concatenate([before.residual, motion])
        residual = self._residual.decode(decoder, self._place(state, residual_presence), context)
        return replace(
            state,
            motion=motion,
            residual=residual,
            motion_presence=motion_presence,
            residual_presence=residual_presence,
        )
