"""What every section of the settings is."""

from pydantic import BaseModel


class Section(BaseModel):
    model_config = {"extra": "forbid"}
