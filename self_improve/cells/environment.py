"""The environment of a zygote and its cells: a list of what is allowed, so no key gets in by name.

`DATABASE_URL`, `GH_PAT` or a proxy with a password are keys, too, though no list knows all names.
"""

from __future__ import annotations

import re
import site
from collections.abc import Iterable, Mapping
from pathlib import Path

from model_gateway.keys import is_secret_name

ALLOWED = frozenset({
    "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "PATH", "HOME", "USER",
    "LOGNAME", "TMPDIR", "XDG_CACHE_HOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "PYTHONPATH", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONMALLOC",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUSERBASE", "PYTHONNOUSERSITE",
    "PYTHONWARNINGS", "PYTHONINTMAXSTRDIGITS", "LUIGI_CONFIG_PATH", "MALLOC_ARENA_MAX",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "TIKTOKEN_CACHE_DIR", "NLTK_DATA",
    "HF_HOME", "TRANSFORMERS_OFFLINE", "HF_HUB_OFFLINE", "SYSTEMROOT",
})  # fmt: skip
_ALLOWED_PREFIX = "LC_"
_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#]*@", re.IGNORECASE)


def of_cells(environment: Mapping[str, str], *, named: Iterable[str] = ()) -> dict[str, str]:
    """Return the part of `environment` that the host's code may see.

    `named` are further variables that the host file asks for. Whatever allows it, no variable
    passes whose name is that of a key, or whose value is an address with a user or a password.
    """
    allowed = ALLOWED.union(named)
    return {
        name: value
        for name, value in environment.items()
        if (name in allowed or name.startswith(_ALLOWED_PREFIX))
        and not is_secret_name(name)
        and not _WITH_PASSWORD.search(value)
    }


def at_home(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return `environment` for confined code, whose only home is `home`."""
    homes = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    others = {
        n: v for n, v in environment.items() if n not in {"LD_LIBRARY_PATH", "PYTHONWARNINGS"}
    }
    return {
        **others, **homes, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUSERBASE": site.getuserbase(),
    }  # fmt: skip
