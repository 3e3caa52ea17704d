"""Input that a person gave, checked by a pydantic model; complaints as sentences to act on."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from screening.messages.errors import ScreenError


def check_choice(option: str, given: str | None, known: Collection[str]) -> None:
    """Raise `ScreenError` where an option of the command line is none of the names known."""
    if given is not None and given not in known:
        raise ScreenError(f"{option} '{given}': unknown; {nearest(given, known)}")


def types_of(annotation: Any) -> set[Any]:
    """Return the types that a field may have."""
    return set(get_args(annotation) or (annotation,))


def validated(
    model: type[Model],
    content: dict[str, Any],
    what: str,
    options: Collection[str] = (),
) -> Model:
    """Return `content` as `model`.

    Parameters
    ----------
    options
        Fields that the command line gave, to be named as its options.

    Raises
    ------
    ScreenError
        Naming the field of `what` that is wrong, and the remedy.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ScreenError(_explain(error, model, content, what, options)) from None


def _explain(
    error: ValidationError,
    model: type[BaseModel],
    content: Any,
    what: str,
    options: Collection[str],
) -> str:
    """Return one complaint of pydantic as one sentence a user can act on."""
    # A misspelt field is also a missing one; the misspelling is what the user can see.
    complaints = error.errors(include_url=False)
    first = min(complaints, key=lambda complaint: complaint["type"] != "extra_forbidden")
    # pydantic names the branch of a union and the key of a mapping as if they were fields.
    path = [str(part) for part in first["loc"] if part not in ("bool", "str", "[key]")]
    if path and path[0] in options:
        subject = f"--{path[0].replace('_', '-')}"
    else:
        subject = f"{what}: field '{'.'.join(path)}'" if path else what
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, path, content)
        return f"{subject} is unknown; {nearest(path[-1], known)}"
    if first["type"] == "missing":
        return f"{subject} is missing"
    message = first["msg"].removeprefix("Value error, ")
    if message.startswith("Input should "):
        message = f" must {message.removeprefix('Input should ')}"
    else:
        message = f": {message[:1].lower()}{message[1:]}"
    value = first["input"]
    # Whoever writes NAME=VALUE there may have written a password.
    said = (
        not path
        or "environment" in path
        or isinstance(value, dict)
        or (isinstance(value, str) and repr(value) in message)
    )
    return f"{subject}{message}" + ("" if said else f", not {value!r}")


def nearest(name: str, known: Collection[str]) -> str:
    """Return what an unknown name may have meant."""
    close = [field for field in known if name in field.split("_")]
    close += difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"


def _fields_at(model: type[BaseModel], path: list[str], content: Any) -> list[str]:
    """Return the fields known at the place of an unknown one.

    A model that stands for others, as an extension point for its plug-ins, has `chosen_by`.
    """
    model = getattr(model, "chosen_by", lambda _: model)(content)
    for part in path[:-1]:
        content = content.get(part) if isinstance(content, dict) else None
        if part not in model.model_fields:  # the key of a mapping, or the place in a list
            continue
        # A part that may be left out is a union with None.
        kinds = types_of(model.model_fields[part].annotation)
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if len(models) != 1:
            return []
        model = getattr(models[0], "chosen_by", lambda _, model=models[0]: model)(content)
    return list(model.model_fields)


Model = TypeVar("Model", bound=BaseModel)


def check_plug_in(option: str, given: str | None, known: Collection[str]) -> None:
    """Raise `ScreenError` where no plug-in has a name; import paths are tried later."""
    if given is not None and ":" not in given:
        check_choice(option, given, known)
