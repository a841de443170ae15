"""validate.py PART FOLDER: has the files of a folder read by the programs that others read them with."""

import base64
import copy
import email
import email.policy
import glob
import hashlib
import json
import os
import sys

folder = sys.argv[2]
named = lambda ending: sorted(glob.glob(os.path.join(folder, "*" + ending)))
load = lambda name: json.load(open(name, encoding="utf-8"))


def stix():
    import stix2
    import stix2validator
    from stix2patterns.v21.pattern import Pattern

    options = stix2validator.ValidationOptions(strict=True, version="2.1")
    for name in named("stix.json"):
        text = open(name, encoding="utf-8").read()
        result = stix2validator.validate_string(text, options)
        assert result.is_valid and not result.errors and not result.warnings, (name, result.errors[:5], result.warnings[:5])
        bundle = json.loads(text)
        for raw in bundle["objects"]:
            # the marking has the extension of TLP 2.0, which the library does not know
            parsed = stix2.parse(raw, allow_custom=raw["type"] == "marking-definition")
            if raw["type"] in ("ipv4-addr", "ipv6-addr", "autonomous-system", "network-traffic"):
                fields = {k: v for k, v in raw.items() if k not in ("id", "type", "spec_version")}
                again = parsed.__class__(**{k: getattr(parsed, k) for k in fields})
                assert again.id == raw["id"], (name, raw, again.id)
            if raw["type"] == "indicator":
                Pattern(raw["pattern"])
                assert raw["description"]
        ids = {o["id"] for o in bundle["objects"]}
        assert len(ids) == len(bundle["objects"]), name
        for raw in bundle["objects"]:
            for key, value in raw.items():
                refs = value if key.endswith("_refs") else [value] if key.endswith("_ref") else []
                assert all(ref in ids for ref in refs), (name, raw["id"], key)
    # the validator is awake: a wrong prefix of an id is refused
    bad = json.loads(text)
    one = next(o for o in bad["objects"] if o["type"] == "identity")
    one["id"] = one["id"].replace("identity--", "campaign--")
    assert not stix2validator.validate_string(json.dumps(bad), options).is_valid
    print(len(named("stix.json")), "bundles")


def misp():
    from pymisp import MISPEvent, MISPObject

    objects = 0
    for name in named("misp.json"):
        ours = load(name)
        event = MISPEvent()
        # it takes apart what it is given
        event.from_dict(**load(name))
        theirs = json.loads(event.to_json())
        compare(ours["Event"], theirs, name)
        for raw in ours["Event"]["Object"]:
            one = MISPObject("ddos", strict=True)
            one.from_dict(**copy.deepcopy(raw))
            one.to_dict(strict=True)
            compare(raw, json.loads(one.to_json()), name)
            objects += 1
    print(len(named("misp.json")), "events,", objects, "objects")


def compare(ours, theirs, where):
    """All that we said is there after it was read and written."""
    if isinstance(ours, dict):
        for key in ours:
            assert key in theirs, (where, key)
            compare(ours[key], theirs[key], where + "." + key)
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for at, (a, b) in enumerate(zip(ours, theirs)):
            compare(a, b, f"{where}[{at}]")
    else:
        same = ours == theirs or str(ours) == str(theirs) or instant(ours) == instant(theirs) is not None
        assert same, (where, ours, theirs)


def instant(text):
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def xarf():
    import jsonschema
    import xarf as library
    from referencing import Registry, Resource

    schemas = os.path.join(os.path.dirname(library.__file__), "schemas")
    all_of_them = [load(f) for f in glob.glob(schemas + "/**/*.json", recursive=True)]
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in all_of_them if "$id" in s)
    master = load(os.path.join(schemas, "xarf-v4-master.json"))
    relaxed = jsonschema.Draft202012Validator(master, registry=registry)
    asserting = jsonschema.Draft202012Validator(
        master, registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    strict = 0
    for name in named(".json"):
        report = load(name)
        for validator in (relaxed, asserting):
            errors = [e.message for e in validator.iter_errors(report)]
            assert not errors, (name, errors)
        normal = library.parse(json.dumps(report))
        assert not normal.errors, (name, normal.errors)
        # its model takes no fraction as confidence, though its schema does; the rest fits it
        whole = library.parse(json.dumps({**report, "confidence": 1}))
        assert not whole.errors and whole.report is not None, (name, whole.errors)
        result = library.parse(json.dumps(report), strict=True)
        has_port = "source_port" in report
        assert bool(result.errors) != has_port, (name, [str(e) for e in result.errors])
        strict += has_port
        assert "_internal" not in report
        for item in report["evidence"]:
            payload = base64.b64decode(item["payload"], validate=True)
            assert item["hash"] == "sha256:" + hashlib.sha256(payload).hexdigest()
            assert item["size"] == len(payload)
        if report["type"] == "ddos":
            assert report["protocol"] in ("tcp", "udp", "sctp")
    print(len(named(".json")), "reports,", strict, "strict")


def mail():
    for name in named(".eml"):
        letter = email.message_from_bytes(open(name, "rb").read(), policy=email.policy.default)
        assert not letter.defects, (name, letter.defects)
        assert letter.get_content_type() == "multipart/report"
        assert letter.get_param("report-type") == "feedback-report"
        assert letter["Auto-Submitted"] == "auto-generated" and letter["Date"].datetime
        assert letter["To"] == "abuse@isp.example" and letter["Message-ID"].endswith("@example.net>")
        human, feedback, report = letter.iter_parts()
        assert human.get_content_type() == "text/plain" and "attack" in human.get_content()
        assert feedback.get_content_type() == "message/feedback-report"
        fields = email.message_from_string(feedback.get_payload(0).as_string())
        assert fields["Feedback-Type"] == "xarf" and fields["Version"] == "1" and fields["User-Agent"]
        assert report.get_content_type() == "application/json" and report.get_filename() == "xarf.json"
        assert report["Content-Transfer-Encoding"] == "base64"
        sent = json.loads(report.get_payload(decode=True))
        assert sent == load(name[:-4] + ".json")
        assert sent["report_id"] in letter["Message-ID"]
    print(len(named(".eml")), "letters")


{"stix": stix, "misp": misp, "xarf": xarf, "mail": mail}[sys.argv[1]]()
