"""A finetuning run: what the platform knows of it, as it was when it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mcli.finetune_config import FinetuneConfig, finetune_config_of
from mcli.run_details import FormattedRunEvent, event
from mcli.status import RunStatus

if TYPE_CHECKING:
    from mcli_mapi.fragments import FinetuneDetailsFields, FinetuneFields

__all__ = ["Finetune", "finetune_of"]

_REQUIRED = ("id", "name", "status", "createdByEmail", "createdAt", "updatedAt")


@dataclass
class Finetune:
    """A finetuning run, as it was when it was read.

    A plain value, as `Run` is.

    >>> import mcli
    >>> finetune = mcli.create_finetuning_run("mosaicml/mpt-7b", "s3://my-bucket/train.jsonl", "s3://my-bucket/out",
    ...     disable_credentials_check=True)
    >>> finetune.name.startswith("ift-mpt-7b-"), finetune.status.is_terminal()
    (True, False)
    """

    id: str
    """Unique identifier of the finetuning run."""
    name: str
    """Its name, made by the platform of the model's."""
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    created_by: str
    """Email of the user who created it."""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    reason: str | None = None
    """Why it is in this status, e.g. `Run completed successfully`."""
    estimated_end_time: datetime | None = None
    """When the platform expects it to be done."""
    model: str | None = None
    """Name of the model. This and what follows are there where a call says that it fetches details."""
    save_folder: str | None = None
    train_data_path: str | None = None
    submitted_config: FinetuneConfig | None = None
    """What was submitted."""
    events: list[FormattedRunEvent] | None = None
    """What happened to it."""
    _required_properties: tuple[str, ...] = field(default=_REQUIRED, repr=False, compare=False)


def finetune_of(fields: FinetuneFields) -> Finetune:
    """Read a finetuning run from the wire; with details where it has them."""
    finetune = Finetune(
        id=fields.id,
        name=fields.name,
        status=RunStatus.from_string(fields.status),
        created_at=fields.created_at,
        updated_at=fields.updated_at,
        created_by=fields.created_by_email,
        started_at=fields.started_at,
        completed_at=fields.completed_at,
        reason=fields.reason,
        estimated_end_time=fields.estimated_end_time,
    )
    details: FinetuneDetailsFields | None = getattr(fields, "details", None)
    if details is not None:
        finetune.model = details.model
        finetune.save_folder = details.save_folder
        finetune.train_data_path = details.train_data_path
        finetune.submitted_config = finetune_config_of(details)
        finetune.events = [event(each) for each in details.formatted_finetuning_events]
    return finetune
