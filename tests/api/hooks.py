"""What a schema cannot say about a question, said to schemathesis.

Drawn from the schemas alone nearly every question is refused: a filter is "and", "or" or a predicate, never all three;
a window is a length of time and no text of any kind; a name is not empty. So half of the valid questions are mended
here before they are sent, the other half goes out as it was drawn: refusals have to be documented too.
"""

import json
import re
import zlib

import schemathesis

NUMBERS = ("gt", "gte", "lt", "lte")
DATES = ("before", "after")
LISTS = ("in", "not_in")
NAMES = ["page_view", "sign_up", "purchase", "add_to_cart", "$identify"]
LENGTHS = ("window", "max_gap")


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Mends every other valid question."""
    is_valid = case.meta is not None and case.meta.generation.mode.value == "positive"
    if is_valid and case.operation.path.endswith("/query") and isinstance(case.body, dict):
        drawn = zlib.crc32(json.dumps(case.body, sort_keys=True, default=str).encode())
        if drawn % 2 == 0:
            case.body = question(json.loads(json.dumps(case.body)), drawn)


def question(body, drawn):
    """The question with the rules of its kind kept."""
    body = mended(body, drawn)
    kind = body.get("kind")
    if kind == "trends":
        if body.get("series"):
            body.pop("events", None)
            body["series"] = [series(one) for one in body["series"]]
        else:
            body["events"] = body.get("events") or NAMES[:2]
        if body.get("formula") is not None:
            body["formula"] = "A / 2"
    elif kind == "retention":
        if body.get("brackets") is not None:
            body.pop("periods", None)
            body["brackets"] = sorted({n % 31 for n in body["brackets"]} | {0, 31})
    elif kind == "funnel":
        funnel(body, drawn)
    return body


def series(one):
    """A property for the measures that are of one, and for no others."""
    if not (one.get("event") or one.get("events")):
        one["event"] = NAMES[0]
    measure = one.get("measure", "count")
    if measure in ("count", "persons", "per_person"):
        one.pop("of", None)
    else:
        one["of"] = one.get("of") or {"property": "$amount"}
    if measure not in ("persons", "per_person"):
        one.pop("group", None)
    if measure != "persons":
        one.pop("rolling_days", None)
        one.pop("cumulative", None)
    elif one.get("cumulative"):
        one.pop("rolling_days", None)
    return one


def funnel(body, drawn):
    """Wishes that do not go together lose one of the two."""
    steps = body["steps"]
    for place, step in enumerate(steps):
        if place in (0, len(steps) - 1) or body.get("exclusions"):
            step["optional"] = False
    for exclusion in body.get("exclusions") or []:
        exclusion.update(after=1, before=len(steps))
    drops = []
    if body.get("order") == "any":
        drops += ["count", "max_gap", "hold", "tie_ms", "on_exclusion", "attribution", "why_not", "preset"]
        for step in steps:
            step["optional"] = False
    if body.get("exclusions"):
        drops.append("max_gap")
    if body.get("count") == "total":
        drops.append("why_not")
    if body.get("view") == "sweep":
        drops += ["count", "order", "on_exclusion", "preset", "entity"]
    if body.get("entity") == "group":
        body["group"] = body.get("group") or {"property": "plan"}
    else:
        drops.append("group")
    if body.get("tie_ms") is not None:
        body["tie_ms"] = drawn % 5_000
    if body.get("windows") is not None:
        body["windows"] = ["1h", "2d"]
    if body.get("attribution") is not None:
        body["attribution"] = ["first", "last", "all", "step:1"][drawn % 4]
    if body.get("actors"):
        body["actors"].update(step=1, limit=10, cursor=None)
        if not body.get("why_not"):
            body["actors"].pop("reason", None)
    for name in ("time_from", "time_to", *drops):
        body.pop(name, None)


def mended(value, drawn):
    """Names, lengths, dates, filters and choices, wherever they stand."""
    if isinstance(value, list):
        return [mended(one, drawn + place) for place, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    # What a conversion is worth is a property, under the name that a predicate has for what it compares with.
    if "goal" not in value and {"and", "or", "op", "value"} & set(value):
        return predicate(value, drawn)
    value = {name: mended(one, drawn + len(name)) for name, one in value.items()}
    if set(value) <= {"property", "person"}:
        return {"property": named(value.get("property"), "plan")}
    for name, one in value.items():
        if name in ("event", "goal", "after") and (isinstance(one, str) or name == "goal"):
            value[name] = named(one, NAMES[drawn % 5])
        elif name == "events" and isinstance(one, list):
            value[name] = [named(text, NAMES[place % 5]) for place, text in enumerate(one)]
        elif name in LENGTHS and one is not None:
            value[name] = f"{drawn % 50 + 1}h"
        elif name in ("from", "to"):
            value[name] = None
        elif name.endswith("limit") and one is not None:
            value[name] = one % 100 + 1
        elif "filter" in name and one == {}:
            value[name] = None
    choices = [name for name in ("any_of", "events", "event") if value.get(name)]
    if "steps" not in value and "series" not in value:
        for name in choices[1:]:
            value.pop(name)
    if "any_of" in choices[:1]:
        value.pop("filter", None)
    if not choices and {"any_of", "optional", "before"} & set(value) and "steps" not in value:
        value["event"] = NAMES[drawn % 5]
    return value


def named(text, otherwise):
    """A name that can be one."""
    return text[:200] if isinstance(text, str) and re.search(r"\w", text) else otherwise


def predicate(drawn_filter, drawn, depth=0):
    """And, or, or a predicate whose value fits what it asks."""
    for name in ("and", "or"):
        if drawn_filter.get(name) and depth < 3:
            return {name: [predicate(one, drawn + n, depth + 1) for n, one in enumerate(drawn_filter[name][:4])]}
    op = drawn_filter.get("op") or "is"
    mended_one = {"property": named(drawn_filter.get("property"), "plan"), "op": op}
    if drawn_filter.get("person"):
        mended_one = {"person": named(drawn_filter["person"], "plan"), "op": op}
    if op in LISTS:
        mended_one["value"] = ["club", drawn]
    elif op in NUMBERS:
        mended_one["value"] = drawn % 100
    elif op in DATES:
        mended_one["value"] = "2026-11-01"
    elif op == "between":
        mended_one["value"] = [1, drawn]
    elif not op.endswith("_set"):
        mended_one["value"] = "club"
    return mended_one
