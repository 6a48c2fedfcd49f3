#!/usr/bin/env python3
"""Verifies a Toolhatch audit log with nothing but Python's standard library.

verify.py FOLDER [--head SEQ:HEX] [--key HEX]    (the public key is in keys/audit.pub; see docs/reference/audit-format.md)
"""
import argparse, hashlib, json, os, re, sys

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
LINE = re.compile(rb'\{"specversion":"1\.0","id":"([0-9A-HJKMNP-TV-Z]{26})","source":"toolhatch","type":"toolhatch\.([a-z_]+)",'
                  rb'"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)","seq":([1-9]\d*),"prev":"([0-9a-f]{64})","log":"([0-9A-HJKMNP-TV-Z]{26})"[,]')
KEYS = ["executionid", "subject", "plugin", "digest", "principal", "agentname", "session", "masked", "datacontenttype", "data"]

def add(p, q):  # points of the curve; None is the neutral one
    if p is None or q is None: return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0: return None
    m = (3 * p[0]**2 - 3) * pow(2 * p[1], -1, P) if p == q else (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (m * m - p[0] - q[0]) % P
    return x, (m * (p[0] - x) - p[1]) % P

def times(k, p):
    r = None
    while k: r, p, k = (add(r, p) if k & 1 else r), add(p, p), k >> 1
    return r

def genuine(key, text, signature):
    if not re.fullmatch("04[0-9a-f]{128}", key) or not re.fullmatch("[0-9a-f]{128}", signature): return False
    q, r, s = (int(key[2:66], 16), int(key[66:], 16)), int(signature[:64], 16), int(signature[64:], 16)
    if max(q) >= P or (q[1]**2 - q[0]**3 + 3 * q[0] - B) % P or not (0 < r < N and 0 < s < N): return False
    e, w = int(hashlib.sha256(text.encode()).hexdigest(), 16), pow(s, -1, N)
    point = add(times(e * w % N, G), times(r * w % N, q))
    return point is not None and point[0] % N == r

def check(that, what):
    if not that: raise ValueError(what)

def verify(folder, head, key, at):
    files = sorted(f for f in os.listdir(folder) if re.fullmatch(r"\d{6,}\.jsonl", f) and int(f[:-6]) > 0)
    full = [f for f in files if os.path.getsize(os.path.join(folder, f))]
    check(full, "there is no log here")
    seq, digest, log, kind, first, signed_first, signed = 0, "0" * 64, None, None, 1, 1, 0
    for i, name in enumerate(files):
        number, at[:] = int(name[:-6]), [name, 0, 0]
        check(number == int(files[0][:-6]) + i, "a file before this one is missing")
        check(name in full or i == len(full), "the file is empty")
        for at[1], line in enumerate(open(os.path.join(folder, name), "rb"), 1):
            check(line.endswith(b"\n"), "the record is cut off")
            line, before = line[:-1], kind
            line.decode()
            fixed = LINE.match(line)
            check(fixed, "not a record")
            _, kind, time, n, prev, its_log = (part.decode() for part in fixed.groups())
            record = json.loads(line)
            data, keys = record["data"], list(record)[8:]
            check(keys == [k for k in KEYS if k in keys] and isinstance(data, dict), "not a record")
            if at[1] == 1:  # opens the file
                check(kind == "log_opened" and data["format"] == 1, "the file does not open as it must")
                first, before = int(data["first"][:-6]), None
                check(data.get("previous") == (None if number == 1 else "%06d.jsonl" % (number - 1)), "a file from another place")
                check(data.get("previous_head", "0" * 64) == prev, "a file from another place")
                if i == 0: seq, digest, log = int(n) - 1 if number > 1 else 0, prev if number > 1 else digest, its_log
                if head and head[0] == seq and seq: check(head[1] == digest, "the record before is not the one of the head")
            at[2] = int(n)
            check(its_log == log, "a record of another log")
            check(int(n) == seq + 1, "record %d should stand here: deleted, inserted or reordered" % (seq + 1))
            check(prev == digest, "it does not continue the record before it: one of the two was changed")
            seq, digest = seq + 1, hashlib.sha256(line).hexdigest()
            due = seq % 256 == 0 or before == "log_opened"
            check(kind == "checkpoint" or not due, "a checkpoint must stand here")
            check(at[1] == 1 or kind != "log_opened" and before != "log_rotated", "it cannot stand inside a file")
            if kind == "checkpoint":
                key = key or data["public_key"]
                check(list(data) == ["seq", "prev", "key", "public_key", "signature"] and data["seq"] == seq, "not a checkpoint")
                check(len(keys) == 2 and data["prev"] == prev and data["public_key"] == key, "signed by another key")
                check(data["key"] == hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16], "names another key")
                text = "toolhatch-audit-v1\n%s\n%d\n%s\n%s\n" % (log, seq, prev, time)
                check(genuine(key, text, data["signature"]), "the signature does not fit")
                signed, signed_first = seq, first
            check(not head or head[0] != seq or head[1] == digest, "not the record of the head: another history")
        check(name not in full[:-1] or kind == "log_rotated", "the end of the file is cut off")
    check(int(files[0][:-6]) <= signed_first and not (kind == "log_rotated" and files == full), "a file is missing")
    check(signed, "no checkpoint")
    check(not head or head[0] <= seq, "the log ends before the head: cut off, or an older copy")
    return "%d records, %d of them after the last checkpoint, head %d:%s" % (seq, seq - signed, seq, digest)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--head", type=lambda text: (int(text.split(":")[0]), text.split(":")[1]))
    parser.add_argument("--key", type=str.strip)
    options, place = parser.parse_args(), ["", 0, 0]
    try:
        print("good:", verify(options.folder, options.head, options.key, place))
    except (ValueError, KeyError, TypeError, OSError) as error:
        sys.exit("BAD: %s line %d (record %d): %s" % (*place, error))
