"""lvs of a thin pool. State: `pool` {data, metadata, health, thin}; `volumes_left` of lv_name=~."""

from __future__ import annotations

from tests.contract.fakes.calls import State


def main(state: State, argv: list[str]) -> tuple[str, int]:
    fields = argv[argv.index("-o") + 1].split(",")
    if "-S" in argv:
        return "".join(f"  {row}\n" for row in state.get("volumes_left", ()) if "=~" in argv[-1]), 0
    pool = state["pool"]
    values = {
        "vg_name": "vg0",
        "pool_lv": "tp0" if pool["thin"] else "",
        "data_percent": pool["data"],
        "metadata_percent": pool["metadata"],
        "lv_health_status": pool["health"],
    }
    return "  " + "|".join(values[f] for f in fields) + "\n", 0
