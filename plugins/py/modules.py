"""The modules of the standard library that scripts can import: those that are imported here, and what these import.

After the component is built there is nothing to import from. Left out is what a sandbox has no use for (processes, threads,
sockets), and what the interpreter is built without.
"""

import importlib

_WANTED = """
    abc argparse array ast base64 binascii bisect calendar cmath codecs collections.abc colorsys configparser contextlib copy
    csv dataclasses datetime decimal difflib enum errno fnmatch fractions functools glob graphlib gzip hashlib heapq hmac html.entities
    html.parser inspect io ipaddress itertools json keyword locale logging math numbers operator os os.path pathlib pprint
    random re reprlib secrets shlex shutil stat statistics string struct sys tarfile tempfile textwrap time timeit token
    tokenize tomllib traceback types typing unicodedata unittest urllib.parse uuid warnings weakref xml.etree.ElementTree
    zipfile zlib zoneinfo
"""

# What is only imported when it is first used.
_LATER = "_strptime encodings.ascii encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig encodings.cp1252 stringprep"


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


NAMES = sorted({name.partition(".")[0] for name in _WANTED.split() if _importable(name)})
for _name in _LATER.split():
    _importable(_name)
