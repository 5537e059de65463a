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
            for name in ("as_of", "identity_version"):
                (case.query or {}).pop(name, None)
    elif is_valid and case.query and "as_of" in case.query:
        # A question of a query string. Half of the instants that can be drawn are still to come.
        drawn = zlib.crc32(json.dumps(dict(case.query), sort_keys=True, default=str).encode())
        if drawn % 2 == 0:
            for name in ("as_of", "identity_version"):
                case.query.pop(name, None)
    elif is_valid and isinstance(case.body, dict) and isinstance(case.body.get("question"), dict):
        # One that is saved, or compared with itself.
        drawn = zlib.crc32(json.dumps(case.body, sort_keys=True, default=str).encode())
        if drawn % 2 == 0:
            case.body["question"] = question(json.loads(json.dumps(case.body["question"])), drawn)


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
    elif kind == "paths":
        paths(body, drawn)
    elif kind in ("sessions", "web"):
        sessions(body)
    return body


def sessions(body):
    """Values that can be, tables once, and the first page of a list."""
    for only in body.get("only") or []:
        only["values"] = ["/", None]
    if body.get("tables"):
        body["tables"] = sorted(set(body["tables"]))
    if body.get("breakdown") == "page":
        body["breakdown"] = "entry_page"
    if body.get("list") is not None:
        body["list"] = {"limit": 10}
    if body.get("interval") == "minute":
        body["interval"] = "hour"
    if body.get("breakdown_limit"):
        body["breakdown_limit"] = 5


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


def paths(body, drawn):
    """Anchors that go with the mode, or a funnel that says all of it."""
    link = body.get("funnel")
    if link:
        query = link["query"]
        query["steps"] = (query.get("steps") or [])[:3]
        while len(query["steps"]) < 2:
            query["steps"].append({"event": NAMES[len(query["steps"])]})
        for step in query["steps"]:
            step["optional"] = False
        if query.get("order") == "any":
            query.pop("order")
        for name in ("entity", "actors", "breakdown", "view"):
            query.pop(name, None)
        funnel(query, drawn)
        link["step"] = 1
        for name in ("mode", "anchor", "until", "count", "from", "to"):
            body.pop(name, None)
    elif body.get("mode") == "between":
        body["anchor"] = body.get("anchor") or {"event": NAMES[0]}
        body["until"] = body.get("until") or {"page": "/"}
    else:
        body.pop("until", None)
    one = lambda matcher: {"event": matcher["event"]} if matcher.get("event") else {"page": named(matcher.get("page"), "/")}
    for name in ("anchor", "until"):
        if body.get(name):
            body[name] = one(body[name])
    body["exclude"] = [one(matcher) for matcher in body.get("exclude") or []]
    body["clean"] = [{"pattern": "[0-9]+", "replace": rule.get("replace", "")[:500]} for rule in body.get("clean") or []]
    body["group"] = [named(text, "/*") for text in body.get("group") or []]
    if body.get("steps") is not None:
        body["steps"] = body["steps"] % 18 + 3
    if body.get("list"):
        body["list"].update(position=1, limit=10, cursor=None)
        if body["list"].get("to"):
            body["list"]["drop_off"] = False


def mended(value, drawn):
    """Names, lengths, dates, filters and choices, wherever they stand."""
    if isinstance(value, list):
        return [mended(one, drawn + place) for place, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    # What a conversion is worth is a property, under the name that a predicate has for what it compares with.
    # No project here has a cohort.
    value.pop("cohort", None)
    if "goal" not in value and {"and", "or", "op", "value"} & set(value):
        return predicate(value, drawn)
    value = {name: mended(one, drawn + len(name)) for name, one in value.items()}
    if set(value) <= {"property", "person"}:
        return {"property": named(value.get("property"), "plan")}
    for name, one in value.items():
        if name == "page" and isinstance(one, str):
            value[name] = named(one, "/")
        elif name in ("event", "goal", "after") and (isinstance(one, str) or name == "goal"):
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
