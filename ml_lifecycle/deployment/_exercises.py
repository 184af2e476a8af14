"""The checks of lesson 6. Each tests what must be true of a right attempt, on whatever data is loaded."""

import json
from typing import Any

from ml_lifecycle.deployment._serve.body import Refused, parse
from ml_lifecycle.deployment._serve.client import as_json
from ml_lifecycle.deployment._serve.contract import contract_of
from ml_lifecycle.deployment.rollout import Rollout
from ml_lifecycle.foundation.exercises import exercise

@exercise("6.1",
          "The place of a user follows from the salt and the id. What may change, and what must stay?",
          "Only the share may change: another salt draws other users.",
          "Rollout(canary=a share between a quarter and a third), with the salt as it was")
def wider_canary(attempt: Rollout, *, before: Rollout) -> str | None:
    """The attempt reaches between a quarter and a third of the users, and all who had the canary before."""
    if not isinstance(attempt, Rollout):
        return f"the attempt is a {type(attempt).__name__}, not a Rollout"
    users = [f"user {i}" for i in range(2000)]
    lost = sum(before.arm(user) == "canary" and attempt.arm(user) != "canary" for user in users)
    if lost:
        return f"{lost:,} of {len(users):,} users lose the canary that they had"
    if not 0.25 <= attempt.canary <= 1 / 3:
        return f"it reaches {attempt.canary:.0%} of the users"
    return None


@exercise("6.2",
          "A column can be there and still hold what the model was never shown.",
          "What would a value of another type be: a text where a number was, a number where a text was?",
          "Copy the example, and put 'twelve' in the place of a number, or 12.5 in the place of a text or a date.")
def refused_record(attempt: dict[str, Any], *, version: Any) -> str | None:
    """The attempt has the columns of the version and is refused because of a value."""
    contract = contract_of(version)
    if not isinstance(attempt, dict):
        return f"the attempt is a {type(attempt).__name__}, not a dictionary"
    names = set(map(str, attempt))
    missing = set(contract.kinds) - contract.optional - names
    if missing:
        return f"{len(missing)} columns are missing: it would be refused for that"
    try:
        record = {str(name): value if isinstance(value, (dict, list)) else as_json(value) for name, value in attempt.items()}
        contract.frame(parse(json.dumps({"records": [record]}, default=str).encode()).records)
    except Refused:
        return None
    return "the service takes this record"
