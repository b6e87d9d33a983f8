"""The currencies of ISO 4217, and which of them a text means."""

from __future__ import annotations

import re
import unicodedata

# Funds, metals and test codes are left out: nobody keeps a budget in them. The last line has
# codes that were replaced recently and that models still write.
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
ANG SLL ZWL
"""
CODES = frozenset(_CODES.split())
# Signs of several currencies, such as the dollar's, are ambiguous and left out.
_SIGNS = {
    "€": "EUR", "₹": "INR", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS", "₫": "VND",
    "₦": "NGN", "฿": "THB", "₸": "KZT", "₾": "GEL", "₼": "AZN",
}  # fmt: skip
_CODE = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")


def currency_code(name: str) -> str | None:
    """Return the one code that `name` means, in any case or width, or by a currency's sign.

    Inside a longer text, such as a name with the code in brackets, only capitals count, as many
    codes are words in some language. None if there is no known code, or more than one.
    """
    text = unicodedata.normalize("NFKC", name).strip()
    if text.upper() in CODES:
        return text.upper()
    codes = {code for code in _CODE.findall(text) if code in CODES}
    codes |= {_SIGNS[sign] for sign in text if sign in _SIGNS}
    return codes.pop() if len(codes) == 1 else None
