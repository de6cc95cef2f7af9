"""Figures of a run that its records add up to: memory and traffic, and how far approximate pixels are off."""

from typing import Any, Dict, Iterable, List, Optional

from .ledger import Record

_REFERENCES = ("first", "mean")
COLUMNS = ("RMSE First", "RMSE Mean")


def of(records: Iterable[Record]) -> Dict[str, Any]:
    """What a run took.

    Returns:
        peak_memory (bytes: {"median", "largest"} over ranks), bytes_per_product and requests_per_product (means over
        those fetched); None where no record says so.
    """
    peaks: Dict[Any, int] = {}
    fetched, requests = [], []
    for record in records:
        if "peak_memory" in record:
            peaks[record.get("rank")] = max(peaks.get(record.get("rank"), 0), int(record["peak_memory"]))
        if record["state"] == "done" and record.get("bytes"):
            fetched.append(int(record["bytes"]))
            if "requests" in record:
                requests.append(int(record["requests"]))
    by_rank = sorted(peaks.values())
    return {"peak_memory": {"median": by_rank[len(by_rank) // 2], "largest": by_rank[-1]} if by_rank else None,
            "bytes_per_product": round(sum(fetched) / len(fetched)) if fetched else None,
            "requests_per_product": round(sum(requests) / len(requests), 1) if requests else None}


def errors(records: Iterable[Record]) -> Optional[Dict[str, Any]]:
    """How far the products of method wavelet are off; None when there are none.

    Returns:
        products (their number), unmeasured (of them, those without an error), first and mean: the smallest and the
        largest RMSE over products against these downsamplings, in DN, each product's as `worst`.
    """
    approximate = [record for record in records if record.get("method") == "wavelet" and record["state"] != "failed"]
    if not approximate:
        return None
    content: Dict[str, Any] = {"products": len(approximate),
                               "unmeasured": sum(worst(record, "first") is None for record in approximate)}
    for reference in _REFERENCES:
        values = [value for value in (worst(record, reference) for record in approximate) if value is not None]
        content[reference] = [min(values), max(values)] if values else None
    return content


def worst(record: Record, reference: str) -> Optional[float]:
    """The RMSE of a product's worst band against `reference` ("first" or "mean") in DN, None when it has none."""
    said = record.get("approximation") or {}
    values = [band[reference]["rmse"] for band in said.get("bands", {"": said}).values() if reference in band]
    return max(values) if values else None


def cells(record: Record) -> List[str]:
    """A record's cells below `COLUMNS`."""
    values = [worst(record, reference) for reference in _REFERENCES]
    return ["-" if value is None else f"{value:.1f}" for value in values]


def lines(content: Dict[str, Any]) -> List[str]:
    """The sentences for what `of` and `errors` found in `report.report`."""
    parts = []
    memory = content["peak_memory"]
    if memory:
        parts.append(f"peak memory per rank {memory['median'] / 1e6:.0f} MB (median),"
                     f" {memory['largest'] / 1e6:.0f} MB (largest)")
    if content["bytes_per_product"] is not None:
        requests = content["requests_per_product"]
        parts.append(f"{content['bytes_per_product'] / 1e6:.1f} MB"
                     + (f" in {requests:.1f} requests" if requests is not None else "") + " per product")
    return (["; ".join(parts)] if parts else []) + _warning(content["approximation"])


def _warning(said: Optional[Dict[str, Any]]) -> List[str]:
    if said is None:
        return []
    ranges = " and ".join(f"{reference.capitalize()} by {said[reference][0]:.1f} to {said[reference][1]:.1f} DN"
                          for reference in _REFERENCES if said[reference])
    how = f"; they differ from {ranges} (RMSE of a product's worst band)" if ranges else ""
    unknown = f"; {said['unmeasured']} of them without a measured error" if said["unmeasured"] else ""
    return [f"method wavelet: the pixels of {said['products']} product(s) are APPROXIMATE, the half-resolution wavelet"
            f" of JPEG 2000, which is neither First nor Mean{how}{unknown}"]
