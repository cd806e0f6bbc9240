"""Write the paper's tables and figures of finished runs, a page with all of them, costs of networks, model cards."""

SUBCOMMANDS = {"table": "table", "figure": "figure", "cost": "cost", "page": "page", "card": "card"}
REMOVED = {
    **{f"table{number}": f"s2tf report table table{number}" for number in range(1, 13)},
    "injection": "s2tf report table injection",
    **{name: f"s2tf report figure {name}" for name in ("figure10", "figure11", "figure12", "portraits")},
    **{name: f"s2tf report cost {name}" for name in ("parameters", "memory", "communication")},
    "html": "s2tf report page",
}
