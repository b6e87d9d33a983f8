"""The names of all artifacts."""

from enum import StrEnum


class FilenameEnum(StrEnum):
    """A file in a plan's directory."""

    PLAN = "plan.txt"
    PREMISE_REVIEW = "premise_review.md"
    POTENTIAL_LEVERS_RAW = "potential_levers_raw.json"
    POTENTIAL_LEVERS = "potential_levers.json"
    ENRICHED_LEVERS = "enriched_levers.json"
    SCREENED_LEVERS = "screened_levers.json"
    RISK_REGISTER = "risk_register.json"
    LEVERS_MARKDOWN = "levers.md"
    PIPELINE_COMPLETE = "pipeline_complete.txt"
