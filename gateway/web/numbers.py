"""Numbers in paths and queries: what a store can number, anything else is wrong use (422)."""

from typing import Annotated

from pydantic import Field

Number = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]
