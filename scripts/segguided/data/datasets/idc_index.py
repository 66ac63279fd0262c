"""The series before contrast of each Duke breast MRI patient, in the index of NCI Imaging Data Commons."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from segguided.data.splits import PatientRow, read_manifest
from segguided.text_tables import read_lines, read_table

COLLECTION = "duke_breast_cancer_mri"
# Names of the series before contrast. Some name the whole dynamic study, whose first series it then is.
PRE_CONTRAST = frozenset(
    {
        "ax 3d dyn",
        "ax 3d dyn MP",
        "ax 3d dyn pre",
        "ax 3d pre",
        "ax dyn",
        "ax dyn pre",
        "ax dynamic",
        "Ax Vibrant MultiPhase",
        "t1_fl3d_tra_dynVIEWS_spair_ pre",
    }
)
# Columns of the patient table, and their names in the index (parquet file, version 25).
INDEXED = {
    "series_uid": "SeriesInstanceUID",
    "series_url": "series_aws_url",
    "instances": "instanceCount",
    "size_MB": "series_size_MB",  # 10^6 bytes
    "description": "SeriesDescription",
    "number": "SeriesNumber",
    "manufacturer": "Manufacturer",
    "scanner": "ManufacturerModelName",
}

IndexRow = Mapping[str, str]  # a series of the index


def read_index(path: Path) -> list[dict[str, str]]:
    """The MR series of the collection, all values as text, from the index's parquet file or a TSV excerpt.

    Raises OSError where the library that reads parquet is not installed.
    """
    if path.suffix != ".parquet":
        needs = {"PatientID", *INDEXED.values()}
        return list(read_table(path, needs=needs, comments=True).rows)
    columns = ["PatientID", *INDEXED.values()]
    try:
        filters = [("collection_id", "==", COLLECTION), ("Modality", "==", "MR")]
        frame = pd.read_parquet(path, columns=columns, filters=filters)
    except ImportError as error:
        raise OSError(
            f"{path}: reading parquet needs pyarrow; pip install pyarrow, then run again"
        ) from error
    frame["series_size_MB"] = frame["series_size_MB"].map("{:.6f}".format)
    records: list[dict[str, str]] = frame.astype(str).to_dict("records")
    return records


def pre_contrast_series(index: Iterable[IndexRow]) -> dict[str, IndexRow]:
    """Each patient's series before contrast, from the series of the index.

    Several time points of a study may share a name of PRE_CONTRAST: the one with the lowest SeriesNumber is
    before contrast. Raises ValueError where two series have this number.
    """
    series: dict[str, IndexRow] = {}
    for row in index:
        if row["SeriesDescription"].strip() not in PRE_CONTRAST:
            continue
        first = series.setdefault(row["PatientID"], row)
        if row is first:
            continue
        if int(row["SeriesNumber"]) == int(first["SeriesNumber"]):
            raise ValueError(
                f"patient {row['PatientID']} has two series numbered {first['SeriesNumber']} that may be the "
                f"one before contrast, {first['SeriesInstanceUID']} and {row['SeriesInstanceUID']}; drop one"
            )
        if int(row["SeriesNumber"]) < int(first["SeriesNumber"]):
            series[row["PatientID"]] = row
    return series


def list_series(patients: Sequence[PatientRow], index: Iterable[IndexRow]) -> list[dict[str, str]]:
    """Rows of the patient table: each patient's series, then the columns of `patients` that the index lacks.

    Raises ValueError for patients without a series before contrast.
    """
    series = pre_contrast_series(index)
    absent = sorted(row["patient"] for row in patients if row["patient"] not in series)
    if absent:
        raise ValueError(f"the index holds no series before contrast of {', '.join(absent)}; drop them")
    return [
        {
            "patient": row["patient"],
            **{column: series[row["patient"]][name].strip() for column, name in INDEXED.items()},
            **{column: value for column, value in row.items() if column not in ("patient", *INDEXED)},
        }
        for row in patients
    ]


def renew_table(table: Path, index: Path) -> str:
    """The text of the patient table with the series from `index`; its comments are kept."""
    rows = list_series(read_manifest(table), read_index(index))
    comments = [line for line in read_lines(table) if line.startswith("#")]
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    return "\n".join([*comments, *lines]) + "\n"
