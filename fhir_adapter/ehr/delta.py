"""Delta tables: which of the Parquet files in their folders hold what is true now."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from fhir_adapter.errors import UsageError

LOG = "_delta_log"
# What changes nothing about which rows and columns the files hold.
_HARMLESS = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "variantType", "variantType-preview"}
_WITHOUT_FEATURES = 1


def live_files(table: Path) -> set[Path]:
    """The files of the newest version of a table.

    `UsageError` where its log cannot be read, where rows are deleted inside of files or columns have other names there,
    and where columns stand in the names of folders.
    """
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        hint = "Install fhir-adapter with the extra `delta`, or write the table as Parquet."
        raise UsageError(
            "The folder holds a Delta table, and the library that reads its log is missing.", hint
        ) from None
    try:
        known = DeltaTable(str(table))
        protocol, metadata, files = known.protocol(), known.metadata(), known.file_uris()
    except DeltaError as error:
        told = f"The log of a Delta table in the folder cannot be read ({type(error).__name__})."
        raise UsageError(told, "Without it nobody knows which of its files count. Write the table again.") from None
    needed = set(protocol.reader_features or ())
    if protocol.min_reader_version > _WITHOUT_FEATURES and not (needed and needed <= _HARMLESS):
        told = "A Delta table in the folder deletes rows inside of files, or gives columns other names there."
        raise UsageError(told, "Write it again without (REORG TABLE ... APPLY (PURGE), or as Parquet).")
    if metadata.partition_columns:
        told = "A Delta table in the folder is partitioned: some of its columns are in no file."
        raise UsageError(told, "Write it again without partitions, or as Parquet.")
    return {Path(unquote(urlsplit(uri).path) if "://" in uri else uri).resolve() for uri in files}
