"""The best plan of a document as a mixed integer program, by HiGHS: one column for each way of treating an attack.

Shares nothing with the planner but the document. Reads a document from standard input, takes the seconds that HiGHS may
think, and prints what the linear relaxation and the program itself come to. With `share-the-pain` behind the seconds as many
targets as possible are kept first, and `kept` says how many; then they are worth the most.
"""

import itertools
import json
import math
import sys
import time

import numpy
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix


def ways(document, attack, value, legit):
    """Every set of rules, undiverted or to an absorber: what it takes of each limit, and what it loses of the value."""
    rules, own = attack.get("rules", []), attack["legit_bps"]
    share = own / legit if legit > 0 else 0.0
    for count in range(len(rules) + 1):
        for chosen in itertools.combinations(rules, count):
            left = math.prod(1 - rule["removes"] for rule in chosen)
            spared = math.prod(1 - rule["collateral"] for rule in chosen)
            arrives, pps = attack["bps"] * left + own * spared, attack["pps"] * left
            slots = ("slots", attack["entry"]), count
            link, target = ("link", attack["entry"]), attack["target"]
            yield [slots, (link, arrives), (("bps", target), arrives), (("pps", target), pps)], value * share * (1 - spared)
            for absorber in document["absorbers"]:
                if attack["entry"] in absorber["reaches"]:
                    taken = attack["bps"] * left + own
                    yield [
                        slots,
                        (link, own),
                        (("bps", target), own),
                        (("absorber", absorber["name"]), taken),
                        (("absorber pps", absorber["name"]), pps),
                    ], 0.0


def program(document):
    """Columns are targets, then ways; rows say that a kept target has one way for each attack, and what limits hold."""
    limits = {}
    for kind, key, things, name in [
        ("link", "link_bps", "entries", "name"),
        ("slots", "flowspec_slots", "entries", "name"),
        ("absorber", "capacity_bps", "absorbers", "name"),
        ("absorber pps", "capacity_pps", "absorbers", "name"),
        ("bps", "max_bps", "targets", "prefix"),
        ("pps", "max_pps", "targets", "prefix"),
    ]:
        for thing in document[things]:
            if thing.get(key) is not None:
                limits[kind, thing[name]] = thing[key]
    index = {target["prefix"]: at for at, target in enumerate(document["targets"])}
    costs = [-target["value"] for target in document["targets"]]
    legit = {}
    for attack in document["attacks"]:
        legit[attack["target"]] = legit.get(attack["target"], 0.0) + attack["legit_bps"]
    rows, cells, low, high = {}, [], [], []
    for attack in document["attacks"]:
        target = index[attack["target"]]
        choice = len(low)
        low.append(0.0)
        high.append(0.0)
        cells.append((choice, target, -1.0))
        value = document["targets"][target]["value"]
        for loads, loss in ways(document, attack, value, legit[attack["target"]]):
            column = len(costs)
            costs.append(loss)
            cells.append((choice, column, 1.0))
            for limit, load in loads:
                if limit not in limits or load == 0:
                    continue
                # in shares of the limit, so that all numbers are near one
                scale = limits[limit] or 1.0
                if limit not in rows:
                    rows[limit] = len(low)
                    low.append(-numpy.inf)
                    high.append(limits[limit] / scale)
                cells.append((rows[limit], column, load / scale))
    row, column, number = zip(*cells)
    matrix = coo_matrix((number, (row, column)), shape=(len(low), len(costs))).tocsr()
    return numpy.array(costs), LinearConstraint(matrix, low, high)


def main():
    document, limit = json.load(sys.stdin), float(sys.argv[1])
    costs, constraint = program(document)
    options = {"mip_rel_gap": 1e-7, "time_limit": limit}
    kept, constraints = None, [constraint]
    if sys.argv[2:] == ["share-the-pain"]:
        one = numpy.array([1.0] * len(document["targets"]) + [0.0] * (len(costs) - len(document["targets"])))
        most = milp(-one, constraints=constraint, bounds=Bounds(0, 1), integrality=1 + 0 * costs, options=options)
        assert most.status == 0, most.message
        kept = round(-most.fun)
        constraints.append(LinearConstraint(one, kept, numpy.inf))
    linear = milp(costs, constraints=constraints, bounds=Bounds(0, 1), integrality=0 * costs, options=options)
    began = time.process_time()
    whole = milp(costs, constraints=constraints, bounds=Bounds(0, 1), integrality=1 + 0 * costs, options=options)
    print(
        json.dumps(
            {
                "linear": -linear.fun if linear.status == 0 else None,
                "kept": kept,
                "best": -whole.fun if whole.x is not None else None,
                "bound": -whole.mip_dual_bound if whole.mip_dual_bound is not None else None,
                "proven": whole.status == 0,
                "seconds": time.process_time() - began,
            }
        )
    )


main()
