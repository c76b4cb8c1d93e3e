"""Enumerations of what runs and clusters can be.

They are strings, because the platform may use words that this version does not know.
"""

from __future__ import annotations

from enum import StrEnum

from mcli._warnings import warn

__all__ = ["GPUType", "RunType", "SubmissionType"]


class RunType(StrEnum):
    """How a run came to be.

    >>> RunType("INTERACTIVE")
    <RunType.INTERACTIVE: 'INTERACTIVE'>
    """

    TRAINING = "TRAINING"
    """Submitted by `create_run`."""
    SECRET_TEST = "SECRET_TEST"  # noqa: S105 - the platform's word, not a password
    """Submitted by the platform, to try out credentials."""
    INTERACTIVE = "INTERACTIVE"
    """Submitted by `create_interactive_run`."""
    HERO_RUN = "HERO_RUN"
    """Submitted with the hero flag in its metadata."""
    FINETUNING = "FINETUNING"
    """Submitted by `create_finetuning_run`."""
    PRETRAINING = "PRETRAINING"
    """Submitted by `create_pretraining_run`."""
    UNKNOWN = "UNKNOWN"
    """A type that this version does not know."""

    @classmethod
    def from_string(cls, run_type: str) -> RunType:
        """Read a run type in any letter case; an unknown one is `RunType.UNKNOWN`.

        >>> RunType.from_string("hero_run")
        <RunType.HERO_RUN: 'HERO_RUN'>
        """
        return (
            cls.__members__.get(run_type.upper(), cls.UNKNOWN) if isinstance(run_type, str) else cls.UNKNOWN
        )


class SubmissionType(StrEnum):
    """What a cluster may be used for.

    >>> SubmissionType.FINETUNING.label
    'Fine-tuning'
    """

    TRAINING = "TRAINING"
    INFERENCE = "INFERENCE"
    FINETUNING = "FINETUNING"
    PRETRAINING = "PRETRAINING"

    @property
    def label(self) -> str:
        """The name for people."""
        return _LABELS[self]

    @classmethod
    def from_string(cls, submission_type: str) -> SubmissionType:
        """Read a submission type in any letter case; an unknown one is TRAINING, with a warning.

        >>> SubmissionType.from_string("inference")
        <SubmissionType.INFERENCE: 'INFERENCE'>
        """
        known = cls.__members__.get(submission_type.upper()) if isinstance(submission_type, str) else None
        if known is None:
            warn(f"Unknown submission type {submission_type!r}, read as TRAINING")
        return known or cls.TRAINING


_LABELS = {
    SubmissionType.TRAINING: "Run",
    SubmissionType.INFERENCE: "Inference Deployment",
    SubmissionType.FINETUNING: "Fine-tuning",
    SubmissionType.PRETRAINING: "Pre-training",
}


class GPUType(StrEnum):
    """Kinds of GPU that have been offered. Wherever one is asked for, any other text is taken as well.

    >>> GPUType("a100_80gb")
    <GPUType.A100_80GB: 'a100_80gb'>
    """

    NONE = "None"
    A100_80GB = "a100_80gb"
    A100_40GB = "a100_40gb"
    V100_32GB = "v100_32gb"
    V100_16GB = "v100_16gb"
    T4 = "t4"
    K80 = "k80"
    RTX3080 = "3080"
    RTX3090 = "3090"
    TPUv2 = "tpuv2"
    TPUv3 = "tpuv3"
