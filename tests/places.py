"""Where values go in and come out again: the fields of every dialect that a bad input may be sent to."""

from tests.contracts import CONTRACTS

NAMES = [place for contract in CONTRACTS.values() for place in contract.texts]
EMAILS = [place for contract in CONTRACTS.values() for place in contract.emails]
STRICT_MOBILES = [place for contract in CONTRACTS.values() for place in contract.strict_mobiles]
LOOSE_MOBILES = [place for contract in CONTRACTS.values() for place in contract.loose_mobiles]
