"""The environment of an agent's program: what is on this list, and its own keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from model_gateway.keys import holds_password, is_secret_name

MORE = "PLUMBLINE_AGENT_ENV"
"""The variable that names further variables, with commas, which programs get as they are."""

PASSED = frozenset({
    # Where programs and their settings are, who runs them, and how they talk.
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "TZ", "PWD",
    "LANG", "LANGUAGE", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
    "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    # The way to the network, and which certificates are believed.
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    # Where the programs keep what they know, and which servers they ask.
    "CLAUDE_CONFIG_DIR", "ANTHROPIC_BASE_URL", "CODEX_HOME", "OPENAI_BASE_URL",
})  # fmt: skip
_LOCALE = "LC_"


def environment_of(
    variables: Mapping[str, str], keys: Iterable[str], *, of_others: Iterable[str] = ()
) -> dict[str, str]:
    """Return what a program gets of the variables of this process.

    `keys` are the variables of its own keys, `of_others` those that hold keys although their names
    do not say so. A proxy or server address with a password is not passed, unless it is named in
    `PLUMBLINE_AGENT_ENV`, which is for what one machine needs beyond the list.
    """
    named = {name.strip() for name in variables.get(MORE, "").split(",")}
    on_purpose = {*keys, *named}
    withheld = set(of_others)
    return {
        name: value
        for name, value in variables.items()
        if name in on_purpose
        or (
            (name in PASSED or name.startswith(_LOCALE))
            and name not in withheld
            and not is_secret_name(name)
            and not holds_password(value)
        )
    }
