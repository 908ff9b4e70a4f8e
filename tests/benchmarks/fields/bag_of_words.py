"""Rival for text: TF-IDF of word or character n-grams and a logistic regression, both scikit-learn's.

    python bag_of_words.py sst2 FOLDER OUT      FOLDER holds train.tsv, dev.tsv, test.tsv
    python bag_of_words.py hotels FOLDER OUT    FOLDER holds ChnSentiCorp_htl_all.csv

Split: SST-2 brings its own (6,920 / 872 / 1,821). The hotel reviews are cut 80/10/10 with the classes' shares kept;
OUT/reviews.csv repeats them with a column `part`, by which ft is given the same rows. Protocol: kind and length of the
n-grams, and C, are chosen by accuracy on validation; the chosen one is not fitted again with validation added, as ft is
not; the test is predicted once, into OUT/<name>-bag-of-words.csv, a row for each test row in the file's order, for
paired.py. Nothing here is random but the cut.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rows import Row, read_rows, write_rows
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

Texts = tuple[list[str], list[str]]  # texts, labels

GRAMS = {
    "sst2": [("word", (1, 1)), ("word", (1, 2)), ("char_wb", (2, 4)), ("char_wb", (2, 5))],
    "hotels": [("char", (1, 1)), ("char", (1, 2)), ("char", (1, 3)), ("char", (1, 4))],
}
STRENGTHS = (1, 3, 10, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=GRAMS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    parts = sst2(options.folder) if options.name == "sst2" else hotels(options.folder, options.out)
    predicted, words = fit_and_predict(parts, GRAMS[options.name])
    truth = parts["test"][1]
    answers = [{"truth": label, "prediction": answer} for label, answer in zip(truth, predicted, strict=True)]
    write_rows(options.out / f"{options.name}-bag-of-words.csv", answers)
    right = float(np.mean([label == answer for label, answer in zip(truth, predicted, strict=True)]))
    print(f"{options.name}: {words}; test accuracy {right:.4f} of {len(truth):,}")


def sst2(folder: Path) -> dict[str, Texts]:
    files = {"train": "train.tsv", "val": "dev.tsv", "test": "test.tsv"}
    rows = {part: read_rows(folder / file, "\t", ("text", "label")) for part, file in files.items()}
    return {part: _texts(of_part, "text") for part, of_part in rows.items()}


def hotels(folder: Path, out: Path) -> dict[str, Texts]:
    rows = read_rows(folder / "ChnSentiCorp_htl_all.csv")
    rest, test = train_test_split(range(len(rows)), test_size=0.1, stratify=[r["label"] for r in rows], random_state=0)
    labels = [rows[number]["label"] for number in rest]
    train, val = train_test_split(rest, test_size=1 / 9, stratify=labels, random_state=0)
    part_of = dict.fromkeys(train, "train") | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
    rows = [row | {"part": part_of[number]} for number, row in enumerate(rows)]
    write_rows(out / "reviews.csv", rows)
    return {part: _texts([row for row in rows if row["part"] == part], "review") for part in ("train", "val", "test")}


def _texts(rows: Sequence[Row], column: str) -> Texts:
    return [row[column] for row in rows], [row["label"] for row in rows]


def fit_and_predict(parts: dict[str, Texts], grams: Sequence[tuple[str, tuple[int, int]]]) -> tuple[np.ndarray, str]:
    """The test's labels by the model that validation likes best, and that model in words."""
    (train, labels), (val, val_labels) = parts["train"], parts["val"]
    best: tuple[float, str, TfidfVectorizer, LogisticRegression] | None = None
    for analyzer, lengths in grams:
        pattern = r"(?u)\S+" if analyzer == "word" else None  # the texts are split at spaces already; keep "!" and "a"
        tfidf = TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, token_pattern=pattern)
        counted = tfidf.fit_transform(train)
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=2000).fit(counted, labels)
            accuracy = float(model.score(tfidf.transform(val), val_labels))
            words = f"{analyzer} {lengths[0]} to {lengths[1]}, C {strength}, validation accuracy {accuracy:.4f}"
            if best is None or accuracy > best[0]:
                best = accuracy, words, tfidf, model
    assert best is not None
    _, words, tfidf, model = best
    return model.predict(tfidf.transform(parts["test"][0])), words


if __name__ == "__main__":
    main()
