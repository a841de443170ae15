"""Second opinion on FlowSpec: reads an ExaBGP configuration with ExaBGP's own parser and prints, per route, the NLRI
and the extended communities that ExaBGP makes of it; then decodes the NLRIs given on standard input and prints them
as ExaBGP packs them again.  Usage: flowspec_oracle.py CONFIGURATION < hex lines "AFI HEX"."""

import json
import sys

sys.path.append("/usr/lib/python3/dist-packages")

from exabgp.configuration.setup import environment  # noqa: E402

environment.setup("")

from exabgp.bgp.message.update.attribute import Attribute  # noqa: E402
from exabgp.bgp.message.update.nlri.flow import Flow  # noqa: E402
from exabgp.configuration.configuration import Configuration  # noqa: E402
from exabgp.protocol.family import AFI, SAFI  # noqa: E402

configuration = Configuration([sys.argv[1]])
if not configuration.reload():
    sys.exit("ExaBGP refuses the configuration: %s" % configuration.error)


def communities(change, code):
    attribute = change.attributes.get(code, None)
    return sorted(c.pack().hex() for c in attribute.communities) if attribute is not None else []


routes = []
for neighbor in configuration.neighbors.values():
    for change in neighbor.changes:
        routes.append(
            {
                "afi": int(change.nlri.afi),
                "nlri": change.nlri.pack_nlri().hex(),
                "ext_communities": communities(change, Attribute.CODE.EXTENDED_COMMUNITY),
                "ipv6_ext_communities": communities(change, Attribute.CODE.IPV6_EXTENDED_COMMUNITY),
            }
        )

decoded = []
for line in sys.stdin.read().split("\n"):
    if line:
        afi, octets = line.split()
        nlri, rest = Flow.unpack_nlri(AFI.create(int(afi)), SAFI.flow_ip, bytes.fromhex(octets), None, None)
        decoded.append({"nlri": nlri.pack_nlri().hex() if nlri and not rest else None, "text": str(nlri)})

print(json.dumps({"routes": routes, "decoded": decoded}))
