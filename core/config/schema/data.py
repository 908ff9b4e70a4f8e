"""The `data` section: where examples come from, and how validation and test are set aside."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ft.core.config.section import Count, Fraction, Section, Seed

Chosen = Annotated[dict[str, Annotated[list[str | int], Field(min_length=1)]], Field(min_length=1, max_length=1)]
Part = Count | Fraction | Chosen
Format = Literal["csv", "tsv", "jsonl", "parquet"]
Delimiter = Annotated[str, Field(min_length=1, max_length=1)]
Header = bool | Annotated[list[str], Field(min_length=1)]
Files = str | Annotated[list[str], Field(min_length=1)]


class Split(Section):
    """How validation and test examples are set aside when the source does not bring them."""

    val: Part | None = Field(
        None, description="validation examples: a count, a fraction of training, or {column: [values]}"
    )
    test: Part | None = Field(
        None, description="test examples: a count, a fraction, or {column: [values]}; official tests stay"
    )
    stratify: bool = Field(True, description="keep the shares of the classes in every part")
    group: str | None = Field(None, description="column whose examples of one value all go to one part; not stratified")
    time: str | None = Field(None, description="column by which the latest examples are the test, those before it val")
    per: str | None = Field(None, description="column within each value of which the counts or fractions are taken")
    seed: Seed = Field(0, description="chooses which examples; not the experiment's seed, so its seeds share a split")

    @model_validator(mode="after")
    def _something_is_left(self) -> Split:
        taken = sum(part for part in (self.val, self.test) if isinstance(part, float))
        if taken >= 1:
            raise ValueError(f"takes {taken:g} of the training examples for val and test; expected less than 1")
        return self

    @model_validator(mode="after")
    def _named_once(self) -> Split:
        if isinstance(self.val, dict) and isinstance(self.test, dict):
            for column in self.val.keys() & self.test.keys():
                own = {str(value) for value in self.val[column]}
                twice = [str(value) for value in self.test[column] if str(value) in own]
                if twice:
                    raise ValueError(f"names {', '.join(twice)} of column {column} in val and in test; keep it in one")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if self.group and (self.time or self.per):
            raise ValueError(f"has group and {'time' if self.time else 'per'}; only one of them can decide")
        return self


class DigitsData(Section):
    """1,797 handwritten digits, 8x8, that come inside scikit-learn: real, offline, no download."""

    source: Literal["digits"]
    split: Split = Split()


class NamedData(Section):
    """A well-known picture set, found under `root` in its usual layouts or downloaded and verified."""

    source: Literal["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100"]
    root: str = Field("data", description="folder that holds the files; relative to the working directory")
    download: bool = Field(True, description="fetch and verify the files when they are not there")
    split: Split = Split()


class FolderData(Section):
    """What folders of files have in common."""

    root: str = Field(description="folder of class folders, or of train/, val/ and test/ with class folders inside")
    names: str | None = Field(
        None,
        description="what file names say, e.g. {digit}_{speaker}_{index}: each word is a column; no class folders then",
    )
    split: Split = Split()


class ImageFolderData(FolderData):
    """Pictures in one folder per class, with or without train/, val/ and test/ above them."""

    source: Literal["image_folder"]


class AudioFolderData(FolderData):
    """Sounds (wav, flac, ogg, mp3) in one folder per class, with or without train/, val/ and test/ above them."""

    source: Literal["audio_folder"]


class ArraysData(Section):
    """Arrays in files: `column: file` for .npy and idx, `column: file.npz:name` for archives; .gz is read too."""

    source: Literal["arrays"]
    root: str = Field(".", description="folder the files are relative to")
    train: dict[str, str] = Field(min_length=1, description="column: file, for training")
    val: dict[str, str] | None = Field(None, description="column: file, for validation")
    test: dict[str, str] | None = Field(None, description="column: file, for the test")
    split: Split = Split()


class Join(Section):
    """Columns of another file, added to every row by a key: what is known of a user, a film, a patient."""

    files: Files = Field(description="file, files or patterns such as items-*.csv")
    on: str = Field(description="the key's column in the examples")
    key: str | None = Field(None, description="the key's column in these files; left out: as in the examples")
    format: Format | None = Field(None, description="left out: as for the examples, else by the files' names")
    delimiter: Delimiter | None = Field(None, description="of csv; left out: as for the examples")
    header: Header = Field(True, description="as for the examples, but of its own")


class TableData(Section):
    """Rows of files: csv, tsv, jsonl or parquet, also .gz. Files named in the rows are relative to the rows' file."""

    source: Literal["table"]
    root: str = Field(".", description="folder the files are relative to")
    train: Files = Field(description="file, files or patterns such as part-*.csv.gz, for training")
    val: Files | None = Field(None, description="the same for validation")
    test: Files | None = Field(None, description="the same for the test")
    format: Format | None = Field(None, description="left out: by the files' names")
    delimiter: Delimiter | None = Field(None, description="of csv; left out: a comma, tsv: a tab")
    quoting: bool = Field(True, description="csv and tsv: whether a value in double quotes may hold the delimiter")
    header: Header = Field(
        True, description="true: the first row names the columns; false: they are 1, 2, ...; a list: these names"
    )
    encoding: str = Field("auto", description="auto: UTF-8, else GB18030; or a codec such as latin-1")
    missing: list[str] = Field([""], description="texts that stand for a missing value, in every column but text")
    join: list[Join] = Field([], description="files whose columns are added by a key")
    split: Split = Split()


DataSection = Annotated[
    DigitsData | NamedData | ImageFolderData | AudioFolderData | ArraysData | TableData, Field(discriminator="source")
]
