"""Loads nftables files and feeds packets to the kernel through a TUN device; prints what the counters say.

Usage, in a network namespace of its own: tun_counters.py NFT PACKETS [NFT PACKETS …]
PACKETS holds, for each packet, two octets of length and the packet from its IP header on. One line of JSON per pair:
{"total": packets seen at prerouting, "counters": {comment: packets}}"""

import fcntl
import json
import os
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TOTAL = """table inet total {
  chain prerouting { type filter hook prerouting priority -460; counter comment "total"; }
}
"""

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"spill0", IFF_TUN | IFF_NO_PI))
subprocess.run(["ip", "link", "set", "spill0", "up"], check=True)


def counters(ruleset):
    for entry in ruleset["nftables"]:
        rule = entry.get("rule", {})
        if "comment" in rule:
            yield rule["comment"], sum(e["counter"]["packets"] for e in rule["expr"] if "counter" in e)


for file, packets in zip(sys.argv[1::2], sys.argv[2::2]):
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    subprocess.run(["nft", "-f", "-"], input=TOTAL.encode(), check=True)
    subprocess.run(["nft", "-f", file], check=True)
    octets = open(packets, "rb").read()
    while octets:
        length = 2 + int.from_bytes(octets[:2], "big")
        os.write(tun, octets[2:length])
        octets = octets[length:]
    listed = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True).stdout
    found = list(counters(json.loads(listed)))
    assert len(dict(found)) == len(found), "a comment stands twice"
    found = dict(found)
    print(json.dumps({"total": found.pop("total"), "counters": found}))
