"""Every section of an experiment: what stands in the wrong place is told where it belongs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from experiments import TREE, load_text, refusal, refused

from ft.core.config import schema
from ft.core.config.belongs import SYNONYMS, homes
from ft.core.config.section import Section
from ft.core.config.write import dump


def encodes(kind: str = "mlp", **settings: Any) -> dict[str, Any]:
    return {"model": {"encoders": {"x": {kind: settings}}}}


def fuses(kind: str) -> dict[str, Any]:
    return {"model": {"fusion": {kind: {}}}}


SECTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    # section: (where it stands, an experiment that holds it as {})
    "DigitsData": ("data", {"data": {"source": "digits"}}),
    "NamedData": ("data", {"data": {"source": "mnist"}}),
    "ImageFolderData": ("data", {"data": {"source": "image_folder", "root": "x"}}),
    "ArraysData": ("data", {"data": {"source": "arrays", "train": {"x": "a.npy"}}}),
    "Split": ("data.split", {"data": {"source": "digits", "split": {}}}),
    "ImageInput": ("inputs.x", {"inputs": {"x": {"type": "image"}}}),
    "ImageAugment": ("inputs.x.augment", {"inputs": {"x": {"type": "image", "augment": {}}}}),
    "Affine": ("inputs.x.augment.affine", {"inputs": {"x": {"type": "image", "augment": {"affine": {}}}}}),
    "Erase": ("inputs.x.augment.erase", {"inputs": {"x": {"type": "image", "augment": {"erase": {}}}}}),
    "ResizedCrop": (
        "inputs.x.augment.resized_crop",
        {"inputs": {"x": {"type": "image", "augment": {"resized_crop": {}}}}},
    ),
    "Jitter": ("inputs.x.augment.jitter", {"inputs": {"x": {"type": "image", "augment": {"jitter": {}}}}}),
    "Normalization": (
        "inputs.x.normalize",
        {"inputs": {"x": {"type": "image", "normalize": {"mean": [0], "std": [1]}}}},
    ),
    "NumberInput": ("inputs.x", {"inputs": {"x": {"type": "number"}}}),
    "VectorInput": ("inputs.x", {"inputs": {"x": {"type": "vector"}}}),
    "CategoryInput": ("inputs.x", {"inputs": {"x": {"type": "category"}}}),
    "CategoryOutput": ("outputs.y", {"outputs": {"y": {"type": "category"}}}),
    "NumberOutput": ("outputs.y", {"outputs": {"y": {"type": "number"}}}),
    "HuberLoss": ("outputs.y.loss", {"outputs": {"y": {"type": "number", "loss": {"huber": {}}}}}),
    "Huber": ("outputs.y.loss.huber", {"outputs": {"y": {"type": "number", "loss": {"huber": {}}}}}),
    "AudioFolderData": ("data", {"data": {"source": "audio_folder", "root": "x"}}),
    "TableData": ("data", {"data": {"source": "table", "train": "a.csv"}}),
    "Join": ("data.join.0", {"data": {"source": "table", "train": "a.csv", "join": [{"files": "b.csv", "on": "k"}]}}),
    "AudioInput": ("inputs.x", {"inputs": {"x": {"type": "audio", "seconds": 1}}}),
    "AudioAugment": ("inputs.x.augment", {"inputs": {"x": {"type": "audio", "seconds": 1, "augment": {}}}}),
    "TextInput": ("inputs.x", {"inputs": {"x": {"type": "text"}}}),
    "SetInput": ("inputs.x", {"inputs": {"x": {"type": "set"}}}),
    "HistoryInput": ("inputs.x", {"inputs": {"x": {"type": "history"}}}),
    "DateInput": ("inputs.x", {"inputs": {"x": {"type": "date"}}}),
    "LabelsOutput": ("outputs.y", {"outputs": {"y": {"type": "labels"}}}),
    "RankingOutput": ("outputs.y", {"outputs": {"y": {"type": "ranking", "user": "a", "item": "b"}}}),
    "Encoder": ("model.encoders.x", encodes()),
    "EmbeddingEncoder": ("model.encoders.x.embedding", encodes("embedding")),
    "MlpEncoder": ("model.encoders.x.mlp", encodes("mlp")),
    "PeriodicEncoder": ("model.encoders.x.periodic", encodes("periodic")),
    "TextEncoder": ("model.encoders.x.text", encodes("text")),
    "AudioEncoder": ("model.encoders.x.audio", encodes("audio")),
    "ImageEncoder": ("model.encoders.x.image", encodes("image")),
    "TorchvisionEncoder": ("model.encoders.x.torchvision", encodes("torchvision", name="a")),
    "Fusion": ("model.fusion", fuses("sum")),
    "ConcatFusion": ("model.fusion.concat", fuses("concat")),
    "SumFusion": ("model.fusion.sum", fuses("sum")),
    "GatedFusion": ("model.fusion.gated", fuses("gated")),
    "AttentionFusion": ("model.fusion.attention", fuses("attention")),
    "DotFusion": ("model.fusion.dot", fuses("dot")),
    "NamedModel": ("model.torchvision", {"model": {"torchvision": {"name": "a"}}}),
    "ModelSection": ("model", {}),
    "TrainSection": ("train", {"train": {}}),
    "FinetuneSection": ("finetune", {"finetune": {}}),
    "LoraSection": ("finetune.lora", {"finetune": {"lora": {}}}),
    "EvalSection": ("eval", {"eval": {}}),
    "ViewsSection": ("eval.tta", {"eval": {"tta": {}}}),
    "SpeedSection": ("train.speed", {"train": {"speed": {}}}),
    "TeacherSection": ("train.teacher", {"train": {"teacher": {"checkpoint": "x"}}}),
    "TuneSection": ("tune", {"tune": {"search": {"seed": {"int": [1, 2]}}}}),
    "SearchSection": ("tune.search.seed", {"tune": {"search": {"seed": {"int": [1, 2]}}}}),
    "Experiment": ("", {}),
}


BASES = {"FileInput", "FolderData"}  # what several forms have in common; never written themselves


def test_the_table_of_sections_is_whole() -> None:
    known = {name for name, item in vars(schema).items() if isinstance(item, type) and issubclass(item, Section)}
    assert set(SECTIONS) == known - BASES


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_refuses_an_unknown_key_at_its_place_with_the_nearest_name(section: str) -> None:
    path, tree = SECTIONS[section]
    fields = getattr(schema, section).model_fields
    meant = max((field.alias or name for name, field in fields.items()), key=len)
    wrong = meant[:-1] + "q" if len(meant) > 2 else meant + "q"
    tree = deepcopy({**TREE, **tree})
    load_text(dump(tree))  # right but for the key
    place = tree
    for key in path.split(".") if path else []:
        place = place[int(key) if isinstance(place, list) else key]
    place[wrong] = None
    text = dump(tree)
    (said,) = refusal(text)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if wrong in line)
    column = text.splitlines()[line - 1].index(wrong) + 1
    name = f"{path}.{wrong}" if path else wrong
    assert said == f"a.yaml:{line}:{column} {name} is not a setting; did you mean {meant}?"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"lr": 1}, "lr is not a setting; did you mean train.lr?"),
        ({"train": {"precison": 1}}, "train.precison is not a setting; did you mean precision (at the top level)?"),
        ({"train": {"freeze": 1}}, "train.freeze is not a setting; did you mean finetune.freeze?"),
        ({"train": {"split": 1}}, "train.split is not a setting; did you mean data.split?"),
        ({"train": {"learning_rate": 1}}, "train.learning_rate is not a setting; did you mean lr?"),
        ({"eval": {"epochs": 1}}, "eval.epochs is not a setting; did you mean train.epochs?"),
        ({"loss": 1, "outputs": {"y": {"type": "number"}}}, "loss is not a setting; did you mean outputs.y.loss?"),
        ({"size": 28}, "size is not a setting; did you mean inputs.NAME.size?"),
        ({"augment": 1}, "augment is not a setting; did you mean inputs.NAME.augment?"),
        ({"flip": True}, "flip is not a setting; did you mean inputs.NAME.augment.flip?"),
        ({"qqqqqq": 1}, "qqqqqq is not a setting"),
        (
            {"train": {"momentum": 0.9}},
            "train.momentum is not a setting; optimizers take their arguments below their name: {sgd: {momentum: ...}}",
        ),
        (
            {"data": {"source": "digits", "root": "x", "split": {"val": 1}}},
            (
                "data.root is not a setting; "
                "root is for mnist, fashion_mnist, kmnist, cifar10, cifar100, image_folder, "
                "audio_folder, arrays or table"
            ),
        ),
        (
            {"inputs": {"x": {"type": "vector", "size": 3}}},
            "inputs.x.size is not a setting; size is for image",
        ),
    ],
)
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(tree: dict[str, Any], said: str) -> None:
    assert refused(tree) == [said]


def test_every_word_of_other_programs_leads_to_a_setting() -> None:
    assert set(SYNONYMS.values()) <= set(homes())
    assert not set(SYNONYMS) & set(homes())
