"""`vary`: the towers of the evaluated events made different, images and variables made again, and what that changes.

    data.h5 -> its ROOT files (by checksum) -> held-out events -> effects -> candidates -> images, variables -> score

The nominal towers go through the same steps, and must give the candidates and the scores that were evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.candidates import Candidates
from hepml.dataset import Dataset
from hepml.dataset.blocks import Block
from hepml.dataset.efp_blocks import check_images, image_columns, tokens_of
from hepml.dataset.efp_input import fitting
from hepml.dataset.pixels import Pixels
from hepml.dataset.record import Record, new_entry
from hepml.dataset.rows import Options, events_of, rows_of, select
from hepml.dataset.sources import Input, sample_config, survey, task_of
from hepml.errors import DataError, SchemaError, VerificationError
from hepml.evaluation.effects import apply_effect
from hepml.evaluation.record import Evaluation
from hepml.evaluation.sample import SELECTIONS
from hepml.evaluation.towers import original_inputs, original_options, pileup_samples, weight_factors
from hepml.evaluation.variations import Variation, parse_variations
from hepml.identity import candidate_ids, fold_of, split_of
from hepml.metrics import Systematic, score_changes
from hepml.samples import SampleSet
from hepml.training import Run, load_run
from hepml.trees import Events, open_events

__all__ = ["CANDIDATES", "Progress", "vary"]

CANDIDATES = ("repeat", "keep")
Progress = Callable[[str, int, int], None]  # file, entries read since the last call, entries in all
_BATCH = 4096
_AGREE = 1e-4  # between a stored score and the same score made again; rounding reaches 1e-5


@dataclass(frozen=True)
class _Plan:
    """What does not change from event to event."""

    run: Run
    evaluation: Evaluation
    options: Options
    candidates: str
    overlays: Mapping[str, Events]
    seed: int
    step_size: int | str


def vary(
    evaluation: Evaluation,
    run: Run | str | Path,
    data: Dataset | str | Path,
    variations: str | Sequence[str],
    *,
    towers: Sequence[str | Path] = (),
    candidates: str = "repeat",
    seed: int = 0,
    bootstrap: int = 1000,
    step_size: int | str = 1000,
    progress: Progress | None = None,
) -> Evaluation:
    """The evaluation with `systematics`: changes of efficiency and rejection when the towers are varied.

    Thresholds are those of the nominal evaluated candidates and stay. Only held-out events are used.

    Args:
        evaluation: of the run on the data, two classes, without reweighting.
        run: the run, or its folder.
        data: what it was evaluated on, written by `hepml convert`.
        variations: for example "scale=1.01,noise=0.05"; see `hepml.evaluation.variations.parse_variations`.
        towers: where the ROOT files of the data are; see `hepml.evaluation.towers.original_inputs`.
        candidates: "repeat": the hottest cell is searched and all cuts are made again in the varied towers, as a
            detector with this difference would; "keep": candidates and the cells that their images are centred on
            stay, so that only the energies in the images differ.
        seed: of the random numbers of the effects, each hashed with the identity of its event, and of the bootstrap.
        bootstrap: replicas for the intervals.
        step_size: events read at a time; the result does not depend on it.
        progress: called with each file and the entries just read.

    Returns:
        The evaluation with one record a variation, in the order given.

    Raises:
        SchemaError: a variation that cannot be understood.
        DataError: not two classes, reweighted, or data that do not say what they were made of.
        InputFileError: a ROOT file is not found.
        VerificationError: a ROOT file, or what is made of its nominal towers, is not what was evaluated.

    Example:
        >>> found = vary(evaluate("runs/hl", "data.h5"), "runs/hl", "data.h5", "scale=1.01")  # doctest: +SKIP
        >>> found.systematics[0].signal[0].change  # doctest: +SKIP
        0.0021
    """
    if candidates not in CANDIDATES:
        raise SchemaError(f"candidates cannot be {candidates!r}", expected="one of " + ", ".join(CANDIDATES))
    if evaluation.events is None or evaluation.identity is None or evaluation.reweighted:
        raise DataError(
            "systematic variations need two classes, not reweighted",
            where=evaluation.name,
            found="a reweighted evaluation" if evaluation.reweighted else f"task {evaluation.task!r}",
        )
    wanted = parse_variations(variations)
    run = run if isinstance(run, Run) else load_run(run)
    dataset = data if isinstance(data, Dataset) else Dataset.open(data)
    options = original_options(dataset)
    inputs = original_inputs(dataset, towers)
    same = [one for one in wanted if not one.other_events]
    overlays = {e.path: open_events(e.path) for one in same for e in one.effects if e.path is not None}
    plan = _Plan(run, evaluation, options, candidates, overlays, seed, step_size)
    if run.efp_names:
        check_images(dataset, tokens_of(run.efp_names))
    blocks: list[list[Block]] = [[] for _ in range(len(same) + 1)]
    for each, events in _held_out(plan, inputs, progress):
        found = select(events, each, plan.options)
        blocks[0].append(_selected(plan, rows_of(found, each).block))
        kept = found.take(np.isin(found.identity, blocks[0][-1].columns["identity"]))
        for own, one in zip(blocks[1:], same, strict=True):
            own.append(_varied(events, kept, one, each, plan))
    factors = weight_factors(dataset)
    nominal = _nominal(plan, dataset, _joined(plan, blocks[0], dataset))
    points = [(one.signal_efficiency, one.threshold) for one in evaluation.working_points]
    made: list[Systematic] = []
    for one in wanted:
        if one.other_events:
            varied = _of_samples(plan, dataset, one, pileup_samples(one, [each.sample for each, _ in inputs]))
            columns = _side_by_side(nominal, varied)
        else:
            block = _joined(plan, blocks[1 + same.index(one)], dataset)
            varied = _Scored(block, _scores(plan, block, dataset), block.columns["weight"])
            varied = replace(varied, weight=varied.weight * np.asarray(factors)[block.columns["sample_id"]])
            columns = _matched(plan, dataset, nominal, varied)
        changes = score_changes(
            *columns,
            points=points,
            name=one.name,
            candidates=candidates,
            paired=not one.other_events,
            n=bootstrap,
            seed=seed,
        )
        made.append(changes)
    return replace(evaluation, systematics=tuple(made))


@dataclass(frozen=True)
class _Scored:
    """Candidates, their scores and weights."""

    block: Block
    score: NDArray[np.float64]
    weight: NDArray[np.float64]


def _held_out(
    plan: _Plan, inputs: Sequence[tuple[Input, Mapping[str, Any]]], progress: Progress | None
) -> Iterator[tuple[Input, Events]]:
    """The events of the evaluated candidates, and those beside them that no network was trained on."""
    total = sum(each.entries for each, _ in inputs)
    for each, record in inputs:
        for events in events_of(each, plan.step_size):
            if record.get("content_sha256") not in (None, events.sample):
                raise VerificationError(
                    "the events are not those that the data were made of",
                    where=each.file.path,
                    expected=f"content {str(record['content_sha256'])[:16]}...",
                    found=f"content {events.sample[:16]}...",
                )
            if progress is not None:
                progress(each.file.path, len(events), total)
            if plan.evaluation.part != "test":
                yield each, events
                continue
            _, group = candidate_ids(events, np.arange(len(events)), np.zeros(len(events), np.int64))
            yield each, events.take(split_of(group) == 2)


def _varied(events: Events, nominal: Candidates, variation: Variation, each: Input, plan: _Plan) -> Block:
    """The rows of a variation; `nominal` are the candidates without it."""
    for effect in variation.effects:
        events = apply_effect(
            events,
            effect.name,
            effect.value,
            calorimeters=effect.calorimeters,
            axes=effect.axes,
            collection=plan.options.collection,
            overlay=plan.overlays.get(effect.path or ""),
            seed=plan.seed,
        )
    found = select(events, each, plan.options)
    if plan.candidates == "keep":
        return rows_of(replace(nominal, events=events, cells=found.cells), each).block
    return _selected(plan, rows_of(found, each).block)


def _selected(plan: _Plan, block: Block) -> Block:
    """The rows in the named subset that was evaluated."""
    if plan.evaluation.selection not in SELECTIONS:
        return block
    return block.take(np.flatnonzero(block.columns[plan.evaluation.selection]))


def _joined(plan: _Plan, blocks: Sequence[Block], dataset: Dataset) -> Block:
    """All rows in the order of their identity, with the polynomials that the run takes, of these images."""
    block = Block.concatenate(blocks)
    block = block.take(np.argsort(block.columns["identity"], kind="stable"))
    names = plan.run.efp_names
    if not names:
        return block
    values = image_columns(block.images, names, dataset.geometry)
    return replace(block, flats={**block.flats, "efp": fitting(values, names, "the candidates made again")})


def _nominal(plan: _Plan, dataset: Dataset, block: Block) -> _Scored:
    """The nominal rows with the scores that were evaluated, after the proof that they are the same candidates."""
    events, identity = plan.evaluation.events, plan.evaluation.identity
    assert events is not None
    assert identity is not None
    order = np.argsort(identity, kind="stable")
    if not np.array_equal(identity[order], block.columns["identity"]):
        raise VerificationError(
            "the towers do not give the candidates that were evaluated",
            where=dataset.path,
            expected=f"{len(identity)} candidates",
            found=f"{len(block)}, {int(np.isin(block.columns['identity'], identity).sum())} of them the same",
            fix="convert the ROOT files again with this version of hepml",
        )
    off = np.abs(_scores(plan, block, dataset) - events.score[order])
    if off.max() > _AGREE:
        raise VerificationError(
            "the network does not give the scores that were evaluated on images and variables made again",
            where=plan.run.path,
            expected=f"the same to {_AGREE:g}",
            found=f"{int((off > _AGREE).sum())} of {len(off)} differ, by up to {off.max():.2g}",
            fix="train the run again with this version of hepml",
        )
    return _Scored(block, events.score[order], events.weight[order])


def _scores(plan: _Plan, block: Block, dataset: Dataset) -> NDArray[np.float64]:
    """A score of every row by the network that was not trained on it."""
    names = [spec.name for spec in plan.run.inputs]
    absent = [name for name in names if name not in block.flats and name not in block.images]
    if absent:
        raise DataError("inputs that are not made from towers", where=plan.run.path, found=", ".join(absent))
    pixels = {name: Pixels(block.images[name], name, dataset.geometry) for name in names if name in block.images}
    score = np.empty(len(block))
    for member, rows in _members(plan, block):
        network = plan.run.network(member) if member else plan.run.model
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            x = [pixels[name].dense(part) if name in pixels else block.flats[name][part] for name in names]
            out = network.predict_on_batch(x[0] if len(x) == 1 else x)
            score[part] = np.asarray(out, dtype=np.float32).reshape(len(part))
    return score


def _members(plan: _Plan, block: Block) -> list[tuple[str, NDArray[np.int64]]]:
    """The networks that score, "" for the stored one, and the rows of each."""
    if plan.evaluation.part != "out-of-fold":
        return [("", np.arange(len(block)))]
    record = plan.run.record
    best = next(one for one in record["members"] if one["name"] == record["best"]["member"])
    fold = fold_of(block.columns["group"], plan.evaluation.folds)
    names = {one["fold"]: one["name"] for one in record["members"] if one["seed"] == best["seed"]}
    return [(name, np.flatnonzero(fold == number)) for number, name in sorted(names.items())]


def _matched(plan: _Plan, dataset: Dataset, nominal: _Scored, varied: _Scored) -> tuple[NDArray[Any], ...]:
    """Nominal score, varied score, label, weight and group of every candidate of either selection.

    A candidate whose inputs are the same bits keeps its score: which rows are scored together decides its last bits,
    and a threshold is the score of one of them.
    """
    ids = nominal.block.columns["identity"], varied.block.columns["identity"]
    every = np.union1d(*ids)
    place = [np.searchsorted(every, one) for one in ids]
    score = np.full((2, len(every)), np.nan)
    score[0, place[0]], score[1, place[1]] = nominal.score, varied.score
    columns = []
    for values in (
        [one.block.y.astype(np.float64) for one in (varied, nominal)],
        [varied.weight, nominal.weight],
        [one.block.columns["group"] for one in (varied, nominal)],
    ):
        column = np.zeros(len(every), values[1].dtype)
        column[place[1]], column[place[0]] = values  # the nominal ones last
        columns.append(column)
    common = np.intersect1d(*ids)
    rows = [np.searchsorted(one, common) for one in ids]
    unchanged = np.ones(len(common), bool)
    for name in (spec.name for spec in plan.run.inputs):
        unchanged &= _equal(nominal.block, varied.block, name, rows)
    score[1, np.searchsorted(every, common[unchanged])] = nominal.score[rows[0][unchanged]]
    return (*score, *columns)


def _equal(first: Block, second: Block, name: str, rows: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Which rows hold the same bits of an input."""
    if name in first.flats:
        pair = [block.flats[name][own].view(np.uint32) for block, own in zip((first, second), rows, strict=True)]
        return np.asarray((pair[0] == pair[1]).all(axis=1))
    images = [block.images[name].take(own) for block, own in zip((first, second), rows, strict=True)]
    same = np.asarray(images[0].counts == images[1].counts)
    taken = [one.take(same) for one in images]
    image = np.repeat(np.flatnonzero(same), taken[0].counts)
    other = (taken[0].index != taken[1].index) | (taken[0].value.view(np.uint32) != taken[1].value.view(np.uint32))
    same[image[other]] = False
    return same


def _of_samples(plan: _Plan, dataset: Dataset, variation: Variation, samples: SampleSet) -> _Scored:
    """The candidates of other files: every one, for no network has seen any of them; weighted as in a conversion."""
    inputs = survey(samples, plan.options.collection)
    config = [*map(sample_config, samples.samples)]
    record = Record(task_of(samples), config, [*map(new_entry, inputs)], [each.file.path for each in inputs])
    blocks = []
    for each in inputs:
        for events in events_of(each, plan.step_size):
            rows = rows_of(select(events, each, plan.options), each)
            record.add(rows)
            blocks.append(_selected(plan, rows.block))
    block = _joined(plan, blocks, dataset)
    seen = np.isin(block.columns["identity"], plan.run.scores().identity)
    if seen.any():
        raise DataError(
            "the run holds candidates of the pile-up samples",
            where=variation.name,
            found=f"{int(seen.sum())} of {len(seen)}",
            fix="give other events",
        )
    one_network = replace(plan, evaluation=replace(plan.evaluation, part="independent"))
    factors = np.asarray(record.weight_factors())[block.columns["sample_id"]]
    return _Scored(block, _scores(one_network, block, dataset), block.columns["weight"] * factors)


def _side_by_side(nominal: _Scored, varied: _Scored) -> tuple[NDArray[Any], ...]:
    """As `_matched`, for other events: each row has one score only."""
    n, m = len(nominal.block), len(varied.block)
    columns = [
        np.concatenate([one, two])
        for one, two in (
            (nominal.block.y.astype(np.float64), varied.block.y.astype(np.float64)),
            (nominal.weight, varied.weight),
            (nominal.block.columns["group"], varied.block.columns["group"]),
        )
    ]
    first = np.concatenate([nominal.score, np.full(m, np.nan)])
    return first, np.concatenate([np.full(n, np.nan), varied.score]), *columns
