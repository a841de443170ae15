"""A verifier of the ledger that shares no line with the product: RFC 6962, RFC 8032 and the C2SP formats from their texts, with
nothing but Python's own library.

    verifier.py log DIR POLICY        reads a whole log, recomputes it, prints its size
    verifier.py proofs POLICY         per line of standard input {"proof": TEXT, "entry": HEX}: prints ok or no
    verifier.py opened POLICY         likewise, "entry" is what it commits to
    verifier.py consistency           per line {"old": [SIZE, HEX], "new": [SIZE, HEX], "proof": [HEX]}: prints ok or no
    verifier.py file PROOF FILE POLICY
"""

import base64
import hashlib
import json
import pathlib
import sys

# ---- Ed25519, RFC 8032 §5.1 and its appendix A ----
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def point(octets):
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f, g * h, f * g, e * h)


def times(n, a):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, a)
        a, n = add(a, a), n >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signed_by(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    a, b = times(s, BASE), add(r, times(h, key))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


# ---- RFC 6962 §2.1 ----
def sha(octets):
    return hashlib.sha256(octets).digest()


def leaf(entry):
    return sha(b"\0" + entry)


def node(left, right):
    return sha(b"\1" + left + right)


def split(n):
    return 1 << (n - 1).bit_length() - 1


def root_by_path(index, size, hash, path):
    """RFC 6962 §2.1.1 read backwards, recursively."""
    if size == 1:
        if path:
            raise ValueError("path too long")
        return hash
    if not path:
        raise ValueError("path too short")
    k = split(size)
    if index < k:
        return node(root_by_path(index, k, hash, path[:-1]), path[-1])
    return node(path[-1], root_by_path(index - k, size - k, hash, path[:-1]))


def roots_by_consistency(m, n, whole, path, old):
    """RFC 6962 §2.1.2: both roots that SUBPROOF leads to."""
    if m == n:
        if whole:
            return (old, old) if not path else fail("path too long")
        return (path[0], path[0]) if len(path) == 1 else fail("path of the wrong length")
    if not path:
        fail("path too short")
    k = split(n)
    if m <= k:
        before, after = roots_by_consistency(m, k, whole, path[:-1], old)
        return before, node(after, path[-1])
    before, after = roots_by_consistency(m - k, n - k, False, path[:-1], old)
    return node(path[-1], before), node(path[-1], after)


def fail(why):
    raise ValueError(why)


def is_consistent(m, old, n, new, path):
    if m == 0:
        return not path and old == sha(b"")
    if m > n:
        return False
    return (old, new) == roots_by_consistency(m, n, True, path, old)


# ---- the C2SP formats ----
def number(text):
    if text != "0" and (not text.isascii() or not text.isdigit() or text[0] == "0"):
        fail("not a number")
    return int(text)


def octets64(text):
    octets = base64.b64decode(text, validate=True)
    if base64.b64encode(octets).decode() != text:
        fail("another spelling")
    return octets


def log_keys(policy):
    """Of a policy with `quorum none`: {(name, key id): public key}."""
    lines = [line.split() for line in policy.splitlines() if line.strip() and not line.strip().startswith("#")]
    if [line for line in lines if line[0] == "quorum"] != [["quorum", "none"]]:
        fail("only policies without witnesses are known here")
    keys = {}
    for line in lines:
        if line[0] == "log":
            name, id, key = line[1].split("+", 2)
            key = octets64(key)
            if key[0] != 1 or sha(name.encode() + b"\n" + key)[:4].hex() != id:
                fail("not a key")
            keys[name, bytes.fromhex(id)] = key[1:]
    return keys


KNOWN = {}


def checkpoint(note, keys):
    """Origin, size, root of a note that a log of the policy signed."""
    known = (note, tuple(keys))
    if known not in KNOWN:
        KNOWN[known] = None
        text, mark, lines = note.rpartition("\n\n")
        if not mark or not lines.endswith("\n"):
            fail("not a note")
        text += "\n"
        origin, size, root = text.split("\n")[:3]
        good = False
        for line in lines[:-1].split("\n"):
            dash, name, signature = line.split(" ")
            signature = octets64(signature)
            key = keys.get((name, signature[:4]))
            if dash != "\u2014":
                fail("not a signature")
            if key and name == origin:
                if not signed_by(key, text.encode(), signature[4:]):
                    fail("forged")
                good = True
        root = octets64(root)
        if good and len(root) == 32:
            KNOWN[known] = origin, number(size), root
    return KNOWN[known] or fail("not signed")


def proven(proof, entry, keys):
    head, mark, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not mark or lines[0] != "c2sp.org/tlog-proof@v1":
        fail("not a proof")
    if lines[1].startswith("extra "):
        del lines[1]
    word, index = lines[1].split(" ")
    if word != "index":
        fail("no index")
    path = [octets64(line) for line in lines[2:]]
    if any(len(hash) != 32 for hash in path):
        fail("not a hash")
    _, size, root = checkpoint(note, keys)
    index = number(index)
    return index < size and root_by_path(index, size, leaf(entry), path) == root


# ---- what opens an entry to who has the file: the table of crates/ledger/src/opening.rs and the words of compact.rs ----
WORDS = [
    '{"time":"20', '","what":{"', ".000000000Z", "T00:00:00.000000000Z", '{"record":{"', '"approvals":',
    ',"basis":"', '","consent":"', '","counts":{"', ',"counts":{"', ',"customer":', ',"data":["',
    '"],"draft":', ',"embargo_until":"', ',"expires":"20', '","extent":"', '","jurisdiction":"', '","pap":"',
    '","profile":"', '","purpose":"', '","recipient_class":"', '","retention_days":', ',"tlp":"',
    'decision":{"act":"', 'disclosure":{', 'sealed":{', 'unsealed":{"index":', ',"record":{',
    '","by":"product"', '","by":"person"', "mitigation", "-end", "announcement", "withdrawal", "approval",
    "depseudonymisation", "configuration", "erasure", "deletion", "gap", "operation", "sealing",
    "abuse-report", "aggregates", "-only", "amber", "+strict", "as-ordered", "cert", "clear", "coalition",
    "complete-bag", "customer-data", "customer-report", "customer", "fingerprints", "forbidden", "given",
    "green", "headers", "hoster", "investigation", "isp", "law-enforcement", "minimised", "named-data",
    "national", "not-needed", "notification", "payload", "public", "recipients-sources", "refused",
    "research", "source-addresses", "target-addresses", "target-hidden", "target-shown", "warning",
    "gdpr-6-1-f", "gdpr-6-1-c", "production-order-eu-2023-1543", "preservation-order-eu-2023-1543",
    "production-order-national", "preservation-order-national", "contract", "sources", "packets", "rules",
    "files", "octets", '","', '":"', '":', ',"', "}}}", "}}",
]


def unpacked(octets):
    text = b""
    while octets:
        first, octets = octets[0], octets[1:]
        if first == 0xFF:
            hash, octets = octets[:32], octets[32:]
            if len(hash) != 32:
                fail("a hash is cut off")
            text += b'"' + hash.hex().encode() + b'"'
        else:
            text += bytes([first]) if first < 0x80 else WORDS[first - 0x80].encode()
    return text.decode("ascii")


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def opened(proof, file):
    """The entry that the file opens; the file itself, where the proof has no line for that."""
    lines = proof.split("\n")
    if not lines[1].startswith("extra "):
        return file
    extra = octets64(lines[1][len("extra ") :])
    if extra[0] != 1:
        fail("only version 1 is known here")
    salt, entry = extra[1:33], json.loads(unpacked(extra[33:]))
    commitment, record = sha(salt + file).hex(), entry.pop("record", None)
    what = entry["what"]
    if "decision" in what:
        what["decision"]["commitment"] = commitment
    elif "disclosure" in what:
        what["disclosure"]["payload"] = commitment
    elif "sealed" in what:
        record["payload"] = commitment
        what["sealed"]["commitment"] = sha(salt + canonical(record)).hex()
    else:
        what["unsealed"]["record"]["payload"] = commitment
    return canonical({"schema": "spillway.ledger/1", **entry})


def tile_path(kind, index):
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join(["tile", kind] + ["x" + part for part in parts[:-1]] + parts[-1:])


def file_of(folder, kind, index, width):
    path = tile_path(kind, index)
    full, partial = folder / path, folder / f"{path}.p/{width}"
    return (partial if width < 256 and partial.exists() else full).read_bytes()


def root_of(hashes):
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node(root_of(hashes[:k]), root_of(hashes[k:]))


def whole_log(folder, keys):
    _, size, root = checkpoint((folder / "checkpoint").read_text(), keys)
    leaves = []
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        bundle, found = file_of(folder, "entries", index, width), []
        while bundle and len(found) < width:
            length = int.from_bytes(bundle[:2], "big")
            if len(bundle) < 2 + length:
                fail("an entry is cut off")
            found.append(leaf(bundle[2 : 2 + length]))
            bundle = bundle[2 + length :]
        tile = file_of(folder, "0", index, width)
        if len(found) != width or b"".join(found) != tile[: 32 * width]:
            fail(f"entries and hashes of {index} differ")
        leaves += found
    level, row = 0, leaves
    while len(row) >= 256:
        row = [root_of(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
        for index in range(-(-len(row) // 256)):
            part = row[index * 256 : index * 256 + 256]
            if file_of(folder, str(level), index, len(part))[: 32 * len(part)] != b"".join(part):
                fail(f"tile {level}/{index} differs")
    if root_of(leaves) != root:
        fail("the root differs")
    return size


def answer(check):
    try:
        return "ok" if check() else "no"
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError):
        return "no"


def main(command, *args):
    if command == "log":
        print(whole_log(pathlib.Path(args[0]), log_keys(pathlib.Path(args[1]).read_text())))
    elif command == "file":
        proof, file, policy = (pathlib.Path(arg).read_bytes() for arg in args)
        keys = log_keys(policy.decode())
        print(answer(lambda: proven(proof.decode(), opened(proof.decode(), file), keys)))
    elif command in ("proofs", "opened"):
        keys = log_keys(pathlib.Path(args[0]).read_text())
        for line in sys.stdin:
            case = json.loads(line)
            file = bytes.fromhex(case["entry"])
            entry = (lambda: opened(case["proof"], file)) if command == "opened" else (lambda: file)
            print(answer(lambda: proven(case["proof"], entry(), keys)))
    elif command == "consistency":
        for line in sys.stdin:
            case = json.loads(line)
            (m, old), (n, new) = case["old"], case["new"]
            path = [bytes.fromhex(hash) for hash in case["proof"]]
            print(answer(lambda: is_consistent(m, bytes.fromhex(old), n, bytes.fromhex(new), path)))


main(*sys.argv[1:])
