"""Every key of an analysis.yaml to the steps that it asks for; whatever is wrong is told with its key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hepml.dataset import parse_features
from hepml.dataset.sources import find_samples, sample_config, task_of
from hepml.efp.columns import parse_column
from hepml.errors import HepmlError, OutputError, SchemaError, nearest
from hepml.layouts import load_layout
from hepml.layouts.yamlfile import Lines
from hepml.ledger import sha256_file
from hepml.models import PRESETS, Settings, preset_settings
from hepml.samples import Sample, load_samples
from hepml.training.decorrelation import variables_of
from hepml.trees import Source, expand_files
from hepml.workflow import actions
from hepml.workflow.adopting import EVALUATED, check_data, check_run, check_scores
from hepml.workflow.options import APPLY, EVALUATION, EXPORT, INPUT, SELECTION, STUDY, TRAIN, WORK, check_export, given
from hepml.workflow.steps import Step

__all__ = ["Reader"]

_SUFFIXES = {"source": ".hpp", "onnx": ".onnx", "correctionlib": ".correctionlib.json"}
_LOSS = ("task", "weights", "balance", "plane", "disco")  # settings without which validation losses do not compare


class Reader:
    """The content of a file that follows the schema, read key by key."""

    def __init__(self, path: Path, content: Mapping[str, Any], lines: Lines) -> None:
        self.path, self.content, self.lines = path, content, lines
        self.folder = os.path.abspath(path.parent)
        self.output = self.file(content["output"])
        self.roots: dict[str, tuple[tuple[str, str], ...]] = {}  # files of the inputs
        self.towers: dict[str, list[str]] = {}  # these, and the files of their layouts
        self.models: dict[str, tuple[str, Settings, int]] = {}  # their input, settings and number of folds
        self.networks: dict[str, str] = {}  # file or folder of each
        self.figures: dict[str, Any] | None = dict(content.get("figures", {}))
        if not self.figures.pop("draw", True):
            self.figures = None
        self.inputs_drawn = self.figures is not None and self.figures.pop("inputs", True)

    def file(self, name: str) -> str:
        return name if "://" in name else os.path.join(self.folder, name)

    def layout(self, item: Mapping[str, Any]) -> str | None:
        name = item.get("layout", self.content.get("layout"))
        if name is None:
            return None
        found = self.file(name) if name.endswith((".yaml", ".yml")) else str(name)
        load_layout(found)  # refuses an unknown or wrong one
        return found

    def work(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """How the step of an entry is made, as far as the file says it."""
        found = {key: item[key] for key in WORK if key in item}
        if {"jobs", "scheduler"} <= set(item):
            raise SchemaError("jobs and scheduler are both given", fix="give one of them")
        if "scheduler" in found and os.path.isfile(self.file(found["scheduler"])):
            found["scheduler"] = self.file(found["scheduler"])
        return found

    def one_of(self, section: str, wanted: str | None, key: str) -> str:
        """A name in a section; the only one if none is given."""
        known = list(self.content.get(section, {}))
        if wanted is None and len(known) == 1:
            return str(known[0])
        if wanted is None or wanted not in known:
            raise SchemaError(
                f"{key}: no name is given, and {section} has several"
                if wanted is None and known
                else f"{key}: nothing is called {wanted!r} in {section}",
                expected=", ".join(known) or f"an entry in {section}",
                nearest=nearest(wanted, known) if wanted is not None else (),
            )
        return wanted

    def steps(self) -> Iterator[Step]:
        """Every step after those that it needs; whatever is wrong is told with its key."""
        readers: dict[str, Callable[[str, Mapping[str, Any]], Iterator[Step]]] = {
            "inputs": self.input,
            "models": self.model,
            "studies": self.study,
            "export": self.export,
            "apply": self.apply,
        }
        owners: dict[str, str] = {}  # of outputs
        for section, read in readers.items():
            for name, item in self.content.get(section, {}).items():
                with self.at(section, name):
                    found = list(read(name, item))
                    for step in found:
                        self.check_places(step, owners)
                yield from found

    @contextmanager
    def at(self, section: str, name: str) -> Iterator[None]:
        """Adds the file, the line and the key to whatever is wrong there."""
        try:
            yield
        except HepmlError as error:
            parts = dict(error.parts)
            found = [one.strip("'") for one in parts.pop("nearest", "").split(", ") if one]
            inner = parts.pop("where", "")
            said = " ".join([error.problem, inner, parts.get("found", "")])
            line = self.lines.naming((section, name), said, Path(inner.split(", ")[0]).name)
            where = f"{self.path}, line {line}, {section}.{name}" + (f": {inner}" if inner else "")
            raise type(error)(error.problem, where=where, nearest=found, **parts) from error

    def check_places(self, step: Step, owners: dict[str, str]) -> None:
        """Refuses a second writer of a file, and inputs among the outputs."""
        for output in (*step.outputs, *step.sidecars):
            if output in owners:
                raise SchemaError(
                    f"{owners[output]} and {step.name} write the same file", found=output, fix="rename one"
                )
            owners[output] = step.name
        folder = os.path.realpath(self.output)
        for _, file in step.files:
            if os.path.realpath(file).startswith(folder + os.sep):
                raise OutputError(
                    f"an input of {step.name} is in the output folder",
                    where=file,
                    found=f"output: {self.content['output']}",
                    fix="choose another folder as output",
                )

    def input(self, name: str, item: Mapping[str, Any]) -> Iterator[Step]:
        named = sorted({"signal", "background", "samples"} & set(item))
        if named not in (["background", "signal"], ["samples"]):
            raise SchemaError(
                "files are needed", expected="signal and background, or samples", found=", ".join(named) or "neither"
            )
        files: dict[str, Any] = {key: self.files(item.get(key)) for key in ("signal", "background")}
        samples = self.file(item["samples"]) if "samples" in item else None
        layout = self.layout(item)
        found = find_samples(files["signal"], files["background"], samples, layout)
        options = SELECTION | self.content.get("selection", {}) | item.get("selection", {}) | given(item, INPUT)
        checksums = self.checksums(item)
        own = [{key: value for key, value in sample_config(one).items() if key != "files"} for one in found.samples]
        self.roots[name] = _files_of(found.samples)
        self.towers[name] = [path for _, path in (*self.roots[name], *_layouts_of(found.samples))]
        data = f"data/{name}.h5"
        yield Step(
            f"convert/{name}",
            partial(
                actions.convert_input,
                data,
                **files,
                samples=samples,
                layout=layout,
                checksums=checksums,
                work=self.work(item),
                **options,
            ),
            {**options, "task": task_of(found), "samples": own},
            (data,),
            sidecars=(f"{data}.log.json",),
            files=self.roots[name] + _named_list(checksums),
            adopts=check_data,
        )
        if self.inputs_drawn and found.task == "binary":
            yield Step(
                f"figures/{name}",
                partial(actions.draw_input, data, f"figures/{name}", self.figures),
                {"figures": self.figures},
                (f"figures/{name}",),
                needs=(f"convert/{name}",),
            )

    def checksums(self, item: Mapping[str, Any]) -> str | None:
        return expand_files(self.file(item["checksums"]))[0].path if "checksums" in item else None

    def files(self, names: str | list[str] | None) -> list[str]:
        return [self.file(name) for name in ([names] if isinstance(names, str) else names or [])]

    def model(self, name: str, item: Mapping[str, Any]) -> Iterator[Step]:
        source = self.one_of("inputs", item.get("input"), "input")
        preset, features = item.get("preset"), item.get("features")
        if preset is None and features is None:
            raise SchemaError("a model needs features or a preset", expected="for example features: et_and_ht")
        if preset is not None:
            preset_settings((), preset)  # refuses an unknown one
        tokens = parse_features(features if features is not None else PRESETS[str(preset)].features)
        changes = dict(item.get("settings", {}))
        if "plane" in item:
            changes["plane"] = ",".join(item["plane"])
        if "decorrelate" in item:
            changes["disco"] = ",".join(f"{key}={value:g}" for key, value in item["decorrelate"].items())
        chosen = preset_settings(tokens, preset, **changes)
        more = given(item, TRAIN) | ({"efp_names": item["efp_names"]} if "efp_names" in item else {})
        if ("efp" in tokens) != bool(more.get("efp_names")):
            raise SchemaError(
                "the feature efp and efp_names go together",
                found=f"features {'_and_'.join(tokens)}, efp_names {more.get('efp_names')}",
            )
        for column in more.get("efp_names", ()):
            parse_column(column)  # refuses unknown ones
        if more["folds"] == 1:
            raise SchemaError("one fold holds everything out", expected="folds: 0, or 2 and more")
        variables_of(chosen)  # refuses unknown ones
        self.models[name] = source, chosen, more["folds"]
        run, data = f"runs/{name}", f"data/{source}.h5"
        evaluated = tuple(f"{run}/{file}" for file in EVALUATED)
        yield Step(
            f"train/{name}",
            partial(actions.train_model, data, "_and_".join(tokens), run, settings=chosen, **more),
            {"features": list(tokens), "settings": chosen.to_dict(), **more},
            (run,),
            needs=(f"convert/{source}",),
            resumes=True,
            inner=evaluated,
            adopts=check_run,
        )
        options = EVALUATION | self.content.get("evaluation", {})
        yield Step(
            f"evaluate/{name}",
            partial(actions.evaluate_model, run, data, self.figures, **options),
            {**options, "figures": self.figures},
            evaluated,
            needs=(f"train/{name}", f"convert/{source}"),
        )

    def study(self, name: str, item: Mapping[str, Any]) -> Iterator[Step]:
        models = [self.one_of("models", one, "models") for one in item.get("models", self.models)]
        sources = {self.models[one][0] for one in models}
        if len(sources) != 1:
            raise SchemaError(
                "models of several inputs cannot be compared" if sources else "there are no models to study",
                expected="models: of one input",
                found=", ".join(f"{one} of {self.models[one][0]}" for one in models) or None,
            )
        own = sources.pop()
        source = self.one_of("inputs", item.get("input", own), "input")
        options = EVALUATION | self.content.get("evaluation", {}) | STUDY
        options |= {key: value for key, value in item.items() if key in options}
        options["selection"] = _selection(options["selection"])
        options["vary"], extra = self.variations(options["vary"])
        if options["vary"] and options["reweight"]:
            raise SchemaError("vary compares the same events with the same weights", fix="leave reweight out")
        if "candidates" in item and not options["vary"]:
            raise SchemaError("candidates belongs to vary")
        independent = source != own
        folder = f"studies/{name}"
        runs = [f"runs/{one}" for one in models]
        hashed = {**options, "vary": [one.replace(self.folder + os.sep, "") for one in options["vary"]]}
        yield Step(
            f"study/{name}",
            partial(
                actions.study_models,
                runs,
                f"data/{source}.h5",
                folder,
                self.figures,
                independent=independent,
                towers=self.towers[source],
                **options,
            ),
            {"models": models, "independent": independent, **hashed, "figures": self.figures},
            (folder,),
            needs=(*(f"evaluate/{one}" for one in models), *(f"train/{one}" for one in models), f"convert/{source}"),
            files=(*self.roots[source], *extra) if options["vary"] else (),
        )

    def variations(self, texts: list[str]) -> tuple[list[str], tuple[tuple[str, str], ...]]:
        """With the files in them relative to the YAML file; and these files."""
        if not texts:
            return [], ()
        from hepml.evaluation.variations import parse_variations

        changed: list[str] = []
        files: list[tuple[str, str]] = []
        for variation in parse_variations(texts):
            text = variation.text
            for path in (effect.path for effect in variation.effects if effect.path is not None):
                text = text.replace(f"={path}", f"={self.file(path)}")
                files += [(f"vary/{_label(file)}", file.path) for file in expand_files(self.file(path))]
            if variation.table is not None:
                found = load_samples(self.file(variation.table)).samples
                files += [(f"vary/{label}", path) for label, path in (*_files_of(found), *_layouts_of(found))]
            changed.append(text)
        return changed, tuple(files)

    def export(self, name: str, item: Mapping[str, Any]) -> Iterator[Step]:
        check_export(item)
        if "best_of" in item:
            models = [self.one_of("models", one, "best_of") for one in item["best_of"]]
            self.comparable(models)
        else:
            default = name if name in self.models else None
            models = [self.one_of("models", item.get("model", default), "model")]
        if item.get("onnx"):
            from hepml.export.onnx import require_onnx

            require_onnx()  # now, not after the training
        if item.get("folds") and (whole := [one for one in models if not self.models[one][2]]):
            raise SchemaError("a model has no folds", found=whole[0], fix=f"models.{whole[0]}: give it folds")
        network = self.networks[name] = f"networks/{name}" + ("" if item.get("folds") else ".json")
        more: dict[str, Any] = {key: f"networks/{name}{suffix}" for key, suffix in _SUFFIXES.items() if item.get(key)}
        options = {key: item[key] for key in EXPORT if key in item}
        data = [f"convert/{self.models[models[0]][0]}"] if item.get("precision") else []
        if data:  # the data of the model: decisions are compared on its test split
            more["data"] = f"data/{self.models[models[0]][0]}.h5"
        yield Step(
            f"export/{name}",
            partial(actions.export_network, [f"runs/{one}" for one in models], network, **more, **options),
            {"models": models, **options, **dict.fromkeys(more, True)},
            (network, *(path for key, path in more.items() if key != "data")),
            needs=(*(f"train/{one}" for one in models), *(f"evaluate/{one}" for one in models), *data),
        )

    def comparable(self, models: list[str]) -> None:
        records = [{"input": self.models[one][0], **self.models[one][1].to_dict()} for one in models]
        for key in ("input", *_LOSS):
            if len({record[key] for record in records}) > 1:
                raise SchemaError(
                    "the validation losses of the models do not compare",
                    expected=f"models of the same {key}",
                    found=", ".join(f"{one}: {record[key]!r}" for one, record in zip(models, records, strict=True)),
                    fix="name one model: model: NAME",
                )

    def apply(self, name: str, item: Mapping[str, Any]) -> Iterator[Step]:
        if {"threshold", "signal_efficiency"} <= set(item):
            raise SchemaError("threshold and signal_efficiency are both given", fix="give one of them")
        networks = self.content.get("export", {})
        network = self.one_of("export", item.get("network", name if name in networks else None), "network")
        if networks[network].get("folds") and "signal_efficiency" in item:
            raise SchemaError("networks of folds have no working point in common", fix="give a threshold")
        files = expand_files(self.files(item["files"]))
        options = given(item, APPLY)
        layout = self.layout(item)
        known = layout if layout is None or not os.path.isfile(layout) else f"sha256:{sha256_file(layout)}"
        checksums = self.checksums(item)
        folder = f"scores/{name}"
        yield Step(
            f"apply/{name}",
            partial(
                actions.apply_network,
                self.networks[network],
                files,
                folder,
                layout=layout,
                checksums=checksums,
                work=self.work(item),
                **options,
            ),
            {**options, "layout": known},
            (folder,),
            needs=(f"export/{network}",),
            files=tuple((_label(file), file.path) for file in files) + _named_list(checksums),
            resumes=True,
            adopts=partial(check_scores, most=len(files)),
        )


def _files_of(samples: Iterable[Sample]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{sample.name}/{_label(file)}", file.path) for sample in samples for file in sample.files)


def _named_list(checksums: str | None) -> tuple[tuple[str, str], ...]:
    return () if checksums is None else (("checksums", checksums),)


def _layouts_of(samples: Iterable[Sample]) -> tuple[tuple[str, str], ...]:
    """Layouts that are files."""
    found = [(sample.name, sample.layout) for sample in samples if sample.layout is not None]
    return tuple((f"{name}/{Path(layout).name}", layout) for name, layout in found if os.path.isfile(layout))


def _label(file: Source) -> str:
    return Path(file.path).name + (f":{file.tree}" if file.tree else "")


def _selection(name: str | None) -> str | None:
    from hepml.evaluation.sample import SELECTIONS

    if name is not None and name not in SELECTIONS:
        raise SchemaError(
            f"no selection is named {name!r}", expected=", ".join(SELECTIONS), nearest=nearest(name, SELECTIONS)
        )
    return name
