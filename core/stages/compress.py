"""`ft compress`: a checkpoint made smaller, healed where that is asked for, and held against what it was.

Channels go first, then single weights, then the healing, then the types of what is stored. The result is a plain
checkpoint, or an ONNX file where its weights are int8. Both models are judged on the same examples and timed in turn.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.adapt.zeros import prunable, zero_smallest
from ft.core.assemble.parts import input_forms
from ft.core.config.schema import EvalSection
from ft.core.data.loader import Loader
from ft.core.data.prepare import Data, prepare_with
from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint
from ft.core.errors import ConfigError, DataError
from ft.core.models.heads import Head
from ft.core.models.narrow import narrow
from ft.core.report.gates import Gates, check_drops
from ft.core.ship.asked import as_kept
from ft.core.ship.int8 import Batch, nonzero_weights, quantize, require_quantizer
from ft.core.ship.replacing import replacing
from ft.core.stages.compress_result import Compressed, Wishes
from ft.core.stages.compressed import KEY, ZEROS, refuse_compressed
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.export import write_onnx_alone
from ft.core.stages.exported import open_judged
from ft.core.stages.fit import finetune
from ft.core.stages.measuring import Contender, Scored, count, measure, score
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.results import main_metrics
from ft.core.stages.start import of_checkpoint
from ft.core.stages.subject import Subject, is_config, open_checkpoint, open_subject

CALIBRATE = 512  # training examples
CALIBRATION_BATCH = 32
_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_ON_CPU = ("device=cpu",)  # where such files run: so the model that they are compared with does, too
_LEFT_OUT = ("resume", "adapter", "sha256")  # of a checkpoint: what only goes on, and what is merged by now
_NO_EXAMPLES = "--quantize weights and dynamic need none"
_SETTINGS = ("data", "eval", "device", "precision", "threads")  # that may be given on the line


@dataclass(frozen=True)
class _Job:
    """What stays the same throughout. settings: as they stand on the line. judged: how both models are."""

    subject: Subject
    settings: Sequence[str]
    python: Path | None
    wishes: Wishes
    options: Options
    rebuilt: Rebuilt
    judged: EvalSection
    data: Data

    def tell(self, text: str) -> str:
        self.options.on_notice(Notice("choice", text))
        return text


@dataclass(frozen=True)
class _Smaller:
    """contents: of the checkpoint to come. how: what was done. healed: the run, where there was one."""

    contents: dict[str, Any]
    how: tuple[str, ...]
    healed: Path | None = None


def compress(
    path: Path,
    settings: Sequence[str],
    wishes: Wishes,
    options: Options,
    *,
    python: Path | None = None,
    out: Path | None = None,
) -> Compressed:
    """Write the compressed model to `out`, None for a name of its own beside the checkpoint. Failed gates are in the
    result, not an error.

    Raises ConfigError for wishes that cannot be, CheckpointError for what is no checkpoint, DataError without examples.
    """
    started = time.perf_counter()
    wishes.check()
    if is_config(path):
        raise ConfigError(f"ft compress takes a checkpoint or a run, and {path} is a file of settings")
    if path.suffix in (".onnx", ".safetensors", ".pt2"):
        raise ConfigError(f"{path} is exported already; compress the checkpoint that it was made of")
    if wishes.quantize is not None:
        require_quantizer()
        settings = [*_ON_CPU, *settings]
    subject = open_subject(path, settings, python)
    target = _target(subject, wishes, out)
    job = _prepare(subject, settings, python, wishes, options)
    with tempfile.TemporaryDirectory(prefix="ft-") as folder:
        plain = Path(folder) / "before.pt"
        save_checkpoint(plain, _contents(job.subject))
        module = job.rebuilt.network.module
        contenders = [Contender("as it was", "torch", plain, job.rebuilt, job.data, count(module), python)]
        scores = [score(contenders[0], job.judged)]
        smaller = _shrink(job, target)
        contenders += _finish(job, smaller, target, Path(folder))
        scores += [score(each, job.judged, scores[0]) for each in contenders[1:]]
        rows = measure(contenders, scores, job.judged.split, zipped=wishes.prune is not None)
    return Compressed(
        name=job.rebuilt.experiment.name,
        checkpoint=job.subject.path or path,
        out=target,
        split=job.judged.split,
        examples=scores[0].evaluation.examples,
        device=str(job.rebuilt.machine.device),
        precision=job.rebuilt.machine.precision.name,
        threads=torch.get_num_threads(),
        how=smaller.how,
        rows=rows,
        main_metrics=main_metrics(job.rebuilt.heads),
        drops=scores[-1].drops,
        gates=_gates(wishes, job.judged, scores[-1]),
        healed=smaller.healed,
        seconds=time.perf_counter() - started,
    )


# ---------------------------------------------------------------- before


def _target(subject: Subject, wishes: Wishes, out: Path | None) -> Path:
    """The file to write. Raises ConfigError for one of another kind, or the checkpoint itself."""
    assert subject.path is not None
    suffix = ".onnx" if wishes.quantize else ".pt"
    target = out or subject.path.with_name(f"{subject.path.stem}-{wishes.called}{suffix}")
    if target.suffix != suffix:
        raise ConfigError(f"--out {target}: this result is a {suffix} file; give it that ending")
    if target.exists() and target.samefile(subject.path):
        raise ConfigError(f"--out {target}: this is what is compressed; name another file")
    return target


def _prepare(subject: Subject, settings: Sequence[str], python: Path | None, wishes: Wishes, options: Options) -> _Job:
    """The model as it is, and the data to judge it on."""
    assert subject.checkpoint is not None
    assert subject.path is not None
    refuse_compressed(subject.checkpoint, subject.path)
    _check_settings(subject, wishes)
    with subject.loaded.locating():
        rebuilt = rebuild(subject)
        if ranked := [name for name, column in rebuilt.outputs.items() if column.kind == "ranking"]:
            raise ConfigError(f"{ranked[0]} ranks items for a user; ft compress works on models that answer by example")
        for reason in rebuilt.machine.reasons:
            options.on_notice(Notice("choice", reason))
        judged = _judged(subject.loaded.eval, wishes, rebuilt.heads)
        only = {judged.split} | ({"train"} if wishes.quantize == "static" else set())
        section = subject.loaded.experiment.data
        data = prepare_with(section, rebuilt.inputs, rebuilt.outputs, rebuilt.settings, only=only)
        tell_data(data, options.on_notice)
        if wishes.quantize == "static" and not len(data.examples.get("train", ())):
            raise DataError(
                "the calibration set is empty: the data have no training examples; --quantize weights needs none"
            )
    return _Job(subject, settings, python, wishes, options, rebuilt, judged, data)


def _check_settings(subject: Subject, wishes: Wishes) -> None:
    """Raise ConfigError for settings of the line that would do nothing."""
    for path in subject.loaded.overrides:
        if path[0] in _SETTINGS or path[0] in ("inputs", "outputs", "model"):  # the latter are refused by rebuild
            continue
        if path[0] != "finetune" or wishes.heal is None:
            where = ".".join(map(str, path))
            raise ConfigError(f"{where}=… changes nothing here; {', '.join(_SETTINGS)} do, and finetune with --heal")


def _judged(settings: EvalSection, wishes: Wishes, heads: Mapping[str, Head]) -> EvalSection:
    """How both models are judged. Raises ConfigError for a gate on what cannot be compared example by example."""
    single = len(heads) == 1
    known = [name if single else f"{output}/{name}" for output, head in heads.items() for name in head.comparable()]
    if unknown := [name for name in wishes.max_drop if name not in known]:
        raise ConfigError(f"--max-drop {unknown[0]}: a drop can be tested of {', '.join(known)}")
    compared = dict.fromkeys((name for name in main_metrics(heads) if name in known), 0.0) | dict(wishes.max_drop)
    nothing: dict[str, Any] = {"slices": {}, "python": {}, "min": {}, "max": {}, "per_class": {}, "per_slice": {}}
    changes = {"split": wishes.split or settings.split, "max_drop": compared, "baseline": None, **nothing}
    return settings.model_copy(update=changes)


def _gates(wishes: Wishes, judged: EvalSection, after: Scored) -> list[Any]:
    if not wishes.max_drop:
        return []
    return check_drops(Gates(max_drop=wishes.max_drop, on=wishes.gate_on or judged.gate_on), after.drops)


def _contents(subject: Subject) -> dict[str, Any]:
    assert subject.checkpoint is not None
    return {name: value for name, value in subject.checkpoint.items() if name not in _LEFT_OUT}


# ---------------------------------------------------------------- smaller


def _shrink(job: _Job, target: Path) -> _Smaller:
    """Everything that leaves a network of torch."""
    wishes, contents = job.wishes, _contents(job.subject)
    record: dict[str, Any] = {"of": str(job.subject.path)}
    how = []
    module = job.rebuilt.network.module
    if wishes.prune_channels is not None:
        example = next(iter(input_forms(job.rebuilt.inputs).values())).zeros(2, job.rebuilt.machine.device)
        less = narrow(contents["experiment"], module, contents["weights"], example, wishes.prune_channels)
        contents |= {"experiment": less.settings, "weights": less.weights}
        record["prune_channels"] = wishes.prune_channels
        kept = f"; left whole: {'; '.join(less.kept_whole)}" if less.kept_whole else ""
        how.append(job.tell(f"{less.after:,} of {less.before:,} channels stay{kept}"))
    if wishes.prune is not None:
        names = prunable(module)
        contents["weights"] = zero_smallest(contents["weights"], names, wishes.prune)
        record |= {"prune": wishes.prune, ZEROS: list(names)}
        how.append(job.tell(f"the smallest {wishes.prune:.0%} of the weights of {len(names)} layers are zero"))
    contents[KEY] = record
    healed = None
    if wishes.heal is not None:
        healed, contents = _heal(job, contents, target)
        contents[KEY] = record
        how.append(f"healed for {wishes.heal} epochs{' by the uncompressed model' if wishes.distil else ''}: {healed}")
    if wishes.dtype is not None:
        buffers = {name for name, _ in module.named_buffers()}
        contents["weights"], told = _stored(contents["weights"], buffers, wishes.dtype)
        record["dtype"] = wishes.dtype
        how.append(job.tell(told))
    if wishes.quantize is not None:
        from_ = (
            f", scales from {_wanted(job):,} of {len(job.data.examples['train']):,} training examples"
            if wishes.quantize == "static"
            else ""
        )
        how.append(job.tell(f"weights are int8, {wishes.quantize}{from_}"))
    return _Smaller(contents, tuple(how), healed)


def _heal(job: _Job, contents: dict[str, Any], target: Path) -> tuple[Path, dict[str, Any]]:
    """A fine-tuning as any other, of the pruned checkpoint, which lies beside. Returns its run and what it left."""
    wishes, teacher = job.wishes, job.subject.path
    unhealed = target.with_name(f"{target.stem}-unhealed.pt")
    save_checkpoint(unhealed, contents)
    taught: dict[str, Any] | None = None
    if wishes.distil:
        taught = {"checkpoint": str(teacher)} | ({"python": str(job.python)} if job.python else {})
    words = [
        *("finetune.freeze=[]", "finetune.unfreeze={}", "finetune.lora=null", "finetune.from=null"),
        f"finetune.teacher={json.dumps(taught)}",
        *job.settings,
        f"finetune.epochs={wishes.heal}",
    ]
    subject = open_checkpoint(unhealed, words, job.python)
    assert subject.checkpoint is not None
    start = of_checkpoint(unhealed, subject.checkpoint, "pruned, not healed")
    try:
        result, _ = finetune(subject.loaded, start, replace(job.options, resume=False))
    except (ConfigError, DataError):  # it never began; a run that was stopped goes on from this file
        unhealed.unlink()
        raise
    healed = {name: value for name, value in load_checkpoint(result.best).items() if name not in _LEFT_OUT}
    return result.run, healed


def _stored(weights: Mapping[str, Tensor], buffers: set[str], dtype: str) -> tuple[dict[str, Tensor], str]:
    """Parameters in another type; a tensor that several names share stays one. What would overflow stays as it is."""
    seen: dict[Any, Tensor] = {}
    found, large = {}, []
    for name, weight in weights.items():
        small = weight
        if weight.is_floating_point() and name not in buffers:
            key = (weight.data_ptr(), weight.shape, weight.stride())
            small = seen.setdefault(key, weight.to(_DTYPES[dtype]))
            if not small.isfinite().all():
                small = weight
                large.append(name)
        found[name] = small
    kept = f"; {', '.join(large)} hold values that {dtype} has not, and stay" if large else ""
    return found, f"weights are stored as {dtype}{kept}; they are computed with as before"


# ---------------------------------------------------------------- what ships


def _finish(job: _Job, smaller: _Smaller, target: Path, folder: Path) -> list[Contender]:
    """Write the result, and read back what is to be measured: the result, behind a plain ONNX file where it is one."""
    words = [word for word in job.settings if not word.startswith("finetune.")]
    if job.wishes.quantize is None:
        save_checkpoint(target, smaller.contents)
        rebuilt = rebuild(open_checkpoint(target, words, job.python))
        return [Contender("compressed", "torch", target, rebuilt, job.data, count(rebuilt.network.module), job.python)]
    whole = folder / "whole.pt"
    save_checkpoint(whole, smaller.contents)
    return _quantize(job, open_checkpoint(whole, words, job.python), target, folder)


def _quantize(job: _Job, whole: Subject, target: Path, folder: Path) -> list[Contender]:
    """whole: what is left before its weights become int8."""
    assert job.wishes.quantize is not None
    assert whole.checkpoint is not None
    plain, small = folder / "plain.onnx", folder / "small.onnx"
    write_onnx_alone(whole, plain)
    told = {KEY: {**whole.checkpoint[KEY], "quantize": job.wishes.quantize}}
    quantize(plain, small, job.wishes.quantize, _calibration(job), told)
    with replacing(target) as temporary:
        temporary.write_bytes(small.read_bytes())
    module = rebuild(whole).network.module
    parameters, filled = count(module)
    flat = sum(int(torch.count_nonzero(each)) for each in module.parameters() if each.ndim < 2)
    words = [word for word in job.settings if word.partition("=")[0].partition(".")[0] in ("data", "eval", "threads")]
    models = [("as ONNX", plain, filled), ("compressed", target, flat + nonzero_weights(target))]
    return [
        Contender(name, "onnxruntime", file, rebuild(open_judged(file, words)), job.data, (parameters, nonzero))
        for name, file, nonzero in models
    ]


def _wanted(job: _Job) -> int:
    return min(job.wishes.calibrate or CALIBRATE, len(job.data.examples["train"]))


def _calibration(job: _Job) -> list[Batch]:
    """Training examples, drawn by the experiment's seed, without augmentation, as the file takes them; static only."""
    if job.wishes.quantize != "static":
        return []
    examples = job.data.examples["train"]
    wanted = _wanted(job)
    rows = torch.randperm(len(examples), generator=torch.Generator().manual_seed(job.rebuilt.experiment.seed))[:wanted]
    loader = Loader(examples, as_kept(job.rebuilt.inputs), torch.device("cpu"), batch_size=CALIBRATION_BATCH)
    batches = loader.of_rows(torch.split(rows.sort().values, CALIBRATION_BATCH), 0)
    return [{name: np.ascontiguousarray(each.numpy()) for name, each in batch.inputs.items()} for batch in batches]
