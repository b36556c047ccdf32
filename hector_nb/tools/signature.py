"""A function's parameters as a JSON Schema, and a model's arguments as the function's own.

The rules: a hint says what is accepted (anything that pydantic can read from JSON), no hint accepts every JSON value, a default makes a
parameter optional. `*args` and `**kwargs` are left out. A parameter whose type has no JSON form is left out where it has a default, else
the function cannot be a tool. Descriptions come from the docstring, or from `Annotated[int, Field(description="…")]`, which wins.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Union

import docstring_parser
from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import PydanticSerializationError, to_jsonable_python

from hector_nb.tools.base import ToolError

_GATHERING = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taken:
    """A parameter that a model can give."""

    adapter: TypeAdapter[Any]
    schema: Mapping[str, Any]


class Signature:
    """How a function is called by a model.

    `description` is its docstring without the sections, `parameters` the JSON Schema of its arguments.

    Raises:
        TypeError: a model could not call it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = getattr(function, "__name__", type(function).__name__)
        if _gives_piecemeal(function):
            raise TypeError(f"{self._name} yields its values one by one; a tool returns them, for example as a list.")
        self._parameters = self._read(function)
        doc = _docstring(function)
        self.description = "\n\n".join(filter(None, (doc.short_description, doc.long_description)))
        self._taken = self._take({each.arg_name: each.description for each in doc.params if each.description})
        self.parameters = self._schema()

    def bind(self, arguments: Mapping[str, Any]) -> inspect.BoundArguments:
        """The call that a model's arguments mean.

        Raises:
            ToolError: they do not fit the hints.
        """
        values, problems = {}, []
        for name, given in arguments.items():
            try:
                values[name] = self._taken[name].adapter.validate_python(given)
            except KeyError:
                problems.append(f"{name}: there is no such parameter")
            except ValidationError as error:
                problems += [
                    f"{'.'.join(map(str, (name, *each['loc'])))}: {each['msg']}"
                    for each in error.errors(include_url=False)
                ]
        if problems:
            raise ToolError("; ".join(problems))
        return self._bound(values)

    def _bound(self, values: Mapping[str, Any]) -> inspect.BoundArguments:
        """Named values as the function takes them: what stands before a `/` by position, with the defaults between."""
        positional, named = [], {}
        for name, parameter in self._parameters.items():
            if parameter.kind is Parameter.POSITIONAL_ONLY:
                if name not in values and parameter.default is Parameter.empty:
                    raise ToolError(f"{name}: this argument is missing")
                positional.append(values.get(name, parameter.default))
            elif name in values:
                named[name] = values[name]
        try:
            return inspect.Signature(list(self._parameters.values())).bind(*positional, **named)
        except TypeError as error:
            raise ToolError(str(error)) from error

    def _read(self, function: Callable[..., Any]) -> dict[str, Parameter]:
        try:
            parameters = inspect.signature(function, eval_str=True).parameters
        except NameError as error:
            raise TypeError(f"A type hint of {self._name} is not known: {error}.") from error
        except (TypeError, ValueError) as error:
            raise TypeError(f"The parameters of {self._name} are not known: {error}.") from error
        return {name: each for name, each in parameters.items() if each.kind not in _GATHERING}

    def _take(self, described: Mapping[str, str]) -> dict[str, _Taken]:
        taken = {}
        for name, parameter in self._parameters.items():
            hint = _hint(parameter)
            try:
                adapter = TypeAdapter[Any](hint)
                schema = adapter.json_schema(ref_template=f"#/$defs/{name}_{{model}}")
            except PydanticUserError as error:
                if parameter.default is Parameter.empty:
                    raise TypeError(self._no_json(parameter, error)) from error
                continue
            taken[name] = _Taken(adapter=adapter, schema=_described(schema, parameter, described.get(name)))
        return taken

    def _no_json(self, parameter: Parameter, error: PydanticUserError) -> str:
        said = str(error.message).split("\n", 1)[0]
        if isinstance(error, PydanticSchemaGenerationError | PydanticInvalidForJsonSchema):
            said = f"no JSON value is a {inspect.formatannotation(parameter.annotation)}"
        return (
            f"{self._name} cannot be a tool: {said.rstrip('.')} (parameter {parameter.name!r}). "
            "Take another type, or give the parameter a default: then it is left out."
        )

    def _schema(self) -> dict[str, Any]:
        definitions: dict[str, Any] = {}
        properties = {}
        for name, taken in self._taken.items():
            own = dict(taken.schema)
            definitions |= {f"{name}_{each}": schema for each, schema in own.pop("$defs", {}).items()}
            properties[name] = own
        required = [name for name in self._taken if self._parameters[name].default is Parameter.empty]
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **({"$defs": definitions} if definitions else {}),
        }


def _hint(parameter: Parameter) -> Any:
    """What a parameter accepts; a default of None makes null acceptable, for models like to write it."""
    if parameter.annotation in (Parameter.empty, Any):
        return Any
    return Union[parameter.annotation, None] if parameter.default is None else parameter.annotation  # noqa: UP007 -- a hint may be a text, which has no `|`


def _described(schema: Mapping[str, Any], parameter: Parameter, description: str | None) -> dict[str, Any]:
    """A parameter's schema with its default and what the docstring says of it."""
    found = dict(schema)
    if description:
        found.setdefault("description", description)
    if parameter.default is not Parameter.empty and "default" not in found:
        try:
            found["default"] = to_jsonable_python(parameter.default)
        except (PydanticSerializationError, ValueError):
            found.pop("default", None)  # the model need not know it to leave the parameter out
    return found


def _docstring(function: Callable[..., Any]) -> docstring_parser.Docstring:
    text = inspect.getdoc(function) or ""
    try:
        return docstring_parser.parse(text)
    except docstring_parser.ParseError:
        found = docstring_parser.Docstring()
        found.short_description = text
        return found


def _gives_piecemeal(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
