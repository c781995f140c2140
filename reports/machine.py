"""The machines that records name: what numbers, and what costs, may be compared."""

from __future__ import annotations

from collections.abc import Iterable

from reports.records import Provenance, Record


def device_class(device: str) -> str:
    """``cpu``, or the name of the GPU: numbers of one class may be compared."""
    kind, _, name = device.partition(" (")
    return name.removesuffix(")") or kind.partition(":")[0]


def devices_of(records: Iterable[Record]) -> list[str]:
    """Classes of device with their precisions, such as ``cpu in bf16``, each once."""
    made = (record.provenance for record in records)
    return sorted({f"{device_class(one.device)} in {one.precision}" for one in made})


def machine_name(where: Provenance) -> str:
    """Device and CPU by name, with what else a cost depends on: precision, threads of a CPU.

    ``NVIDIA H100 80GB HBM3, bf16, CPU: Intel Xeon Platinum 8480C with AVX512``; ``AMD EPYC with
    AVX2, 1 thread``. fp32 goes without saying. A record without the name of its CPU has the
    platform's: ``CPU (Linux x86_64)``.
    """
    cpu = where.cpu or f"CPU ({where.platform.partition(',')[0]})"
    precision = [] if where.precision == "fp32" else [where.precision]
    if device_class(where.device) == "cpu":
        threads = f"{where.threads} thread{'' if where.threads == 1 else 's'}"
        return ", ".join([cpu, *precision, threads])
    return ", ".join([device_class(where.device), *precision, f"CPU: {cpu}" if where.cpu else cpu])


def machines_of(records: Iterable[Record]) -> str:
    """The machine of some records, or the names of all of theirs."""
    return " and ".join(sorted({name for record in records for name in machines_named(record)}))


def machines_named(record: Record) -> list[str]:
    """Those that its cost is of: of one attempt after another where it had several."""
    return record.machines or [machine_name(record.provenance)]
