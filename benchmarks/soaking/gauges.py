"""What processes say of themselves: every gauge of `/metrics`, and how many series there are."""

from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

LEFT_OUT: Final = ("process_", "logcast_group_lag", "python_info", "age_seconds", "lag_seconds", "busy_ratio")


async def gauges(http: httpx.AsyncClient, name: str, address: str) -> dict[str, float]:
    """The figures of one process by name of the series; empty while it does not answer."""
    try:
        page = (await http.get(f"{address}/metrics")).text
    except httpx.HTTPError:
        return {}
    return figures(name, page)


def figures(name: str, page: str) -> dict[str, float]:
    """The same, of a page that was got."""
    found: dict[str, float] = {}
    series = 0
    for family in text_string_to_metric_families(page):
        series += len(family.samples)
        if family.type != "gauge" or any(part in family.name for part in LEFT_OUT):
            continue
        for sample in (sample for sample in family.samples if not sample.name.endswith("_created")):
            labels = ".".join(sample.labels.values())
            key = f"metric.{sample.name}{'.' if labels else ''}{labels}"
            found[f"{name}.{key}"] = sample.value
    return found | {f"{name}.series": float(series)}
