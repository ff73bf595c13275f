"""The one base of all values that travel between rooms."""

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

import msgspec

if TYPE_CHECKING:
    # Type checkers do not inherit msgspec's `frozen` and `kw_only`: state them once, here.
    @dataclass_transform(frozen_default=True, kw_only_default=True)
    class Value:
        """A frozen value."""

        __struct_fields__: ClassVar[tuple[str, ...]]

        def __init_subclass__(
            cls, *, dict: bool = False, gc: bool = False, cache_hash: bool = False
        ) -> None: ...
        def __init__(self, **fields: Any) -> None: ...

else:

    class Value(
        msgspec.Struct,
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
        gc=False,  # frozen values make no cycles: the collector need not look at them
    ):
        """A frozen value. Tuples, never lists; an absent text is "", an absent object None.

        JSON (`encode`, `decode`) leaves out the fields that hold their default object, so it is compact.
        msgspec compares with the default by identity: equal values give equal bytes when equal parts are the
        default object itself, as the last step of mapping (`mapping.finish`) sees to.
        """


V = TypeVar("V", bound=Value)

if TYPE_CHECKING:

    def replace(value: V, **changes: object) -> V:
        """A copy of `value` with some fields changed."""
        ...

else:
    replace = msgspec.structs.replace  # itself: a call around it would cost as much as the copy


def encode(value: Value) -> bytes:
    """Compact JSON (UTF-8)."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[V]) -> V:
    """The value that `encode` wrote; raises msgspec.ValidationError where the JSON does not fit `kind`."""
    return msgspec.json.decode(data, type=kind)
