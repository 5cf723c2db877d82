"""Maps of quantization steps: docs/default-model.md, "Map of quantization steps"."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.second_decoder.range_decoder import ONE
from tests.second_decoder.symbols import SymbolDecoder, Tables, tables_of

WIDEST = 24
START = [64, 2000, 100, 40, 24, 3000, 200, 40, 24, 400, 80, 32, 16, 3000, 200, 40, 24, 400, 80, 32, 16]

Place = tuple[int, int]


@dataclass
class StepMap:
    """Widths by position, and the counts that the next map starts from."""

    widths: dict[Place, int] = field(default_factory=dict)
    flags: list[list[int]] = field(default_factory=lambda: [[count, 16] for count in START])
    others: list[list[int]] = field(default_factory=lambda: [[1] * 25 for _ in range(25)])


def decode_map(decoder: SymbolDecoder, height: int, width: int, before: StepMap | None) -> StepMap:
    """The next map of a payload."""
    result = StepMap()
    usual = 0
    if before is None:
        usual = decoder.small_call([0], _tables([[1] * 25]), WIDEST)[0]
    else:
        result.flags = [list(row) for row in before.flags]
        result.others = [list(row) for row in before.others]
    for top, left in ((0, 0), (1, 1), (0, 1), (1, 0)):
        places = [(row, column) for row in range(top, height, 2) for column in range(left, width, 2)]
        if not places:
            continue
        predictions = [_predict(place, height, width, result, before, usual) for place in places]
        contexts = [context for _, context in predictions]
        flags = decoder.small_call(contexts, _tables(result.flags), 1)
        _count(result.flags, contexts, flags)
        rows = [width for (width, _), flag in zip(predictions, flags, strict=True) if flag]
        others = decoder.small_call(rows, _tables(result.others), WIDEST)
        _count(result.others, rows, others)
        remaining = iter(others)
        for place, (predicted, _), flag in zip(places, predictions, flags, strict=True):
            result.widths[place] = next(remaining) if flag else predicted
    return result


def _predict(
    place: Place, height: int, width: int, now: StepMap, before: StepMap | None, usual: int
) -> tuple[int, int]:
    row, column = place
    around = [(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    here = differing = None
    if before is not None:
        here = before.widths[place]
        within = [(min(max(y, 0), height - 1), min(max(x, 0), width - 1)) for y, x in around]
        differing = sum(before.widths[neighbour] != here for neighbour in within)
    if row % 2 == 0 and column % 2 == 0:
        if here is None or differing is None:
            return usual, 0
        return here, 1 + min((differing + 1) // 2, 3)
    known = [now.widths[neighbour] for neighbour in around if neighbour in now.widths and _earlier(neighbour, place)]
    votes = [2 * known.count(value) + (3 if value == here else 0) for value in range(25)]
    predicted = votes.index(max(votes))
    context = 5 + min(sum(value != predicted for value in known), 3)
    if here is not None:
        context += 4 * (here != predicted) + 8 * (differing != 0)
    return predicted, context


def _earlier(neighbour: Place, place: Place) -> bool:
    order = [(0, 0), (1, 1), (0, 1), (1, 0)]
    return order.index((neighbour[0] % 2, neighbour[1] % 2)) < order.index((place[0] % 2, place[1] % 2))


def _tables(counts: list[list[int]]) -> Tables:
    rows = []
    for row in counts:
        size = len(row) + 1
        frequencies = [1 + count * (ONE - size) // sum(row) for count in [*row, 0]]
        frequencies[frequencies.index(max(frequencies))] += ONE - sum(frequencies)
        rows.append(frequencies)
    return tables_of(rows)


def _count(counts: list[list[int]], rows: list[int], symbols: list[int]) -> None:
    for row, symbol in zip(rows, symbols, strict=True):
        counts[row][symbol] += 24
    for number, own in enumerate(counts):
        while sum(own) > 4096:
            own = [(count + 1) // 2 for count in own]
        counts[number] = own
