#!/usr/bin/env python3
"""Verifies an export of Tyrian's audit log with proofs:

    python3 verify_export.py export.jsonl audit.pub

It needs Python 3.8 or newer and nothing else: no database, no server, nothing of Tyrian. docs/AUDIT.md says in words
what is done here. Exit code 0: everything holds. 1: the first thing that does not, named. 2: it cannot be read.
"""
import json
import re
import sys
from datetime import datetime, timedelta
from hashlib import sha256, sha512
from uuid import UUID

# The fields of an event in the order of its bytes, and what each holds; those with "?" may be absent.
FIELDS = """at:time id:number transaction_id:number kind:text category:text outcome:text reason:text? actor_kind:text
    actor_id:uuid? actor_name:text actor_email:text? on_behalf_of:uuid? subject_type:text? subject_id:uuid?
    subject_label:text? about_person:uuid? client_id:uuid? engagement_id:uuid? address:text? user_agent:text?
    request_id:uuid? sentence:text detail:json search_values:text"""
FIELDS = [field.split(":") for field in FIELDS.split()]


PROOF = {"seal", "first", "last", "path"}


class Fault(Exception):
    """What does not hold."""


def number(value):
    return value.to_bytes(8, "big", signed=True)


def time(text):
    """Microseconds since 1970."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text):
        raise ValueError(f"{text} is no time of an event or seal")
    since = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") - datetime(1970, 1, 1)
    return number(since // timedelta(microseconds=1))


def uuid(text):
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise ValueError(f"{text} is no id")
    return UUID(text).bytes


def detail(line):
    """The text of the event's own field `detail` as it stands in the line. In it the export writes characters that
    would act on a terminal as \\u escapes; as it was recorded, only the controls below the space are escaped."""
    read, at, name, text = json.JSONDecoder().raw_decode, 1, None, None
    while name != "detail":
        name, at = read(line, at)
        start = at + 1
        _, at = read(line, start)
        text, at = line[start:at], at + 1

    def recorded(escape):
        char = json.loads(f'"{escape[0]}"')
        return char if escape[0][1] == "u" and char >= " " else escape[0]

    return re.sub(r"\\(u[dD][89abAB]..\\u....|u....|.)", recorded, text)


def canonical(event, line):
    """The bytes of an event: each field after its length, an absent one as a length of all ones."""
    to_bytes = {"time": time, "number": number, "uuid": uuid, "text": str.encode,
                "json": lambda _: detail(line).encode()}
    out = b"tyrian event 1"
    for name, kind in FIELDS:
        value = event.get(name) if kind.endswith("?") else event[name]
        if value is None and kind.endswith("?"):
            out += b"\xff" * 8
        else:
            field = to_bytes[kind.rstrip("?")](value)
            out += len(field).to_bytes(8, "big") + field
    return out


def root_of(leaf, index, leaves, path):
    """The root that a leaf leads to; path holds the siblings from below (RFC 9162, section 2.1)."""
    if not 0 <= index < leaves or (leaves == 1) != (not path):
        raise Fault("carries a proof of the wrong length")
    if leaves == 1:
        return leaf
    half = 1 << (leaves - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1" + root_of(leaf, index, half, path[:-1]) + path[-1]).digest()
    return sha256(b"\1" + path[-1] + root_of(leaf, index - half, leaves - half, path[:-1])).digest()


def signed(seal):
    """The bytes of a seal that are signed."""
    return (b"tyrian seal 1" + number(seal["number"]) + number(seal["first"]) + number(seal["last"])
            + bytes.fromhex(seal["root"]) + bytes.fromhex(seal["previous"]) + time(seal["at"])
            + number(seal["cluster"]) + number(seal["through_transaction"]) + number(seal["through_id"])
            + bytes.fromhex(seal["key"]))


# Ed25519 (RFC 8032): points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    u, v = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    w, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (v - u) * (z - w) % P, (z + w) * (v + u) % P, (z - w) * (z + w) % P, (v - u) * (v + u) % P


def point(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, message, signature):
    """Whether s·BASE - h·key is the point in the signature's first half."""
    try:
        x, y, z, t = point(key)
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus = (P - x, y, z, P - t)
    steps = {(1, 0): BASE, (0, 1): minus, (1, 1): add(BASE, minus)}
    sum_ = (0, 1, 1, 0)
    for bit in range(252, -1, -1):
        sum_ = add(sum_, sum_)
        step = (s >> bit & 1, h >> bit & 1)
        sum_ = add(sum_, steps[step]) if step != (0, 0) else sum_
    over = pow(sum_[2], P - 2, P)
    found = (sum_[1] * over % P) | ((sum_[0] * over % P & 1) << 255)
    return s < ORDER and len(signature) == 64 and found.to_bytes(32, "little") == signature[:32]


def check_seal(seal, before, trusted):
    key, name = bytes.fromhex(seal["key"]), f"Seal {seal['number']}"
    if not is_signed(key, signed(seal), bytes.fromhex(seal["signature"])):
        raise Fault(f"{name} is broken: its signature does not fit what it says.")
    if key not in trusted:
        raise Fault(f"{name} is broken: it is signed by the key {key.hex()}, which is not among the trusted ones.")
    if before is None:
        return
    if seal["number"] != before["number"] + 1:
        raise Fault(f"Seal {before['number'] + 1} is missing: seal {before['number']} is followed by another.")
    if seal["previous"] != digest(before):
        raise Fault(f"{name} is broken: it does not name the seal before it.")
    if seal["first"] != before["last"] + 1 or seal["last"] < seal["first"]:
        raise Fault(f"{name} is broken: its events do not begin after those of the seal before it.")


def digest(seal):
    return sha256(signed(seal) + bytes.fromhex(seal["signature"])).hexdigest()


def object_once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field stands twice")
    return dict(pairs)


def check_event(line, claims):
    """What an event claims of its seal: its batch, and the root that it leads to. Answers its number."""
    event = json.loads(line, object_pairs_hook=object_once)
    name = f"The event of {event['at']}, id {event['id']}"
    unknown = set(event) - {field for field, _ in FIELDS} - {"number", "proof"}
    if unknown:
        raise ValueError(f"{name} has fields that no event has: {', '.join(sorted(unknown))}")
    if "proof" not in event or "number" not in event:
        raise Fault(f"{name} carries no proof.")
    proof = event["proof"]
    if set(proof) != PROOF:
        raise ValueError(f"{name} carries a proof with other fields than {', '.join(sorted(PROOF))}")
    leaf = sha256(b"\0" + canonical(event, line)).digest()
    index, leaves = event["number"] - proof["first"], proof["last"] - proof["first"] + 1
    try:
        root = root_of(leaf, index, leaves, [bytes.fromhex(step) for step in proof["path"]])
    except Fault as fault:
        raise Fault(f"{name} {fault}.") from None
    claim = (proof["first"], proof["last"], root.hex())
    if claims.setdefault(proof["seal"], (claim, name))[0] != claim:
        raise Fault(f"{name} or one beside it was changed: they lead to different roots of the same seal.")
    return event["number"]


def verify(lines, trusted):
    numbers, claims, first, before, end = set(), {}, None, None, None
    for line in lines:
        if end:
            raise ValueError("lines come after the end")
        if line.startswith('{"at"'):
            event = check_event(line, claims)
            if event in numbers:
                raise Fault(f"The event with the number {event} stands twice.")
            numbers.add(event)
            continue
        other = json.loads(line, object_pairs_hook=object_once)
        if set(other) == {"seal"}:
            seal = other["seal"]
            check_seal(seal, before, trusted)
            claim, name = claims.pop(seal["number"], (None, None))
            if claim and claim != (seal["first"], seal["last"], seal["root"]):
                raise Fault(f"{name} was changed: it does not lead to the root of seal {seal['number']}.")
            first, before = first or seal["number"], seal
        elif set(other) == {"end"}:
            end = other["end"]
        else:
            raise ValueError("a line is neither an event nor a seal nor the end")
    events = len(numbers)
    if end and end["events"] != events:
        raise Fault(f"The export has {events} events, and its end tells of {end['events']}.")
    for seal, (_, name) in sorted(claims.items()):
        raise Fault(f"{name}: seal {seal} is not in the export.")
    if before is None:
        raise ValueError("the export holds no seals: it was made without proofs")
    print(f"Everything holds: {events} events lead to seals {first} to {before['number']}.")
    print(f"The last one's digest is {digest(before)}: compare it with a seal that you kept elsewhere.")
    if not (end and end["complete"]):
        print("Note: the export does not say that it is complete.")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        with open(sys.argv[2], encoding="utf-8") as keys:
            keys = [line.strip() for line in keys if line.strip() and not line.startswith("#")]
        with open(sys.argv[1], encoding="utf-8", newline="\n") as export:
            verify(export, [bytes.fromhex(key) for key in keys])
    except Fault as fault:
        print(f"The export does not hold. {fault}")
        sys.exit(1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        print(f"The export cannot be read: {error!r}")
        sys.exit(2)


main()
