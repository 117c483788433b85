"""Where bfloat16 pays: half the bytes and twice the products a second, if the hardware has it.

bfloat16 keeps float32's exponent and eight bits of its mantissa. Under ``torch.autocast``
convolutions and matrix products read it and add up in float32 (Kalamkar et al. 2019, arXiv
1905.12322). Here encoders compute in it. Weights, optimizer states, losses, the heads of actor and
critic and :class:`labs.manipulation_encoder.SpatialSoftmax` stay in float32: eight bits are few for
a value, whose small differences choose the action. A processor without instructions for it
computes the same numbers, slowly.
"""

from __future__ import annotations

import torch

#: What a CPU calls its bfloat16 products, in torch's words.
CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


def _cpu_multiplies() -> bool:
    report = getattr(torch.cpu, "get_capabilities", None)  # older torch has none
    found = report() if report is not None else {}
    return any(found.get(name, False) for name in CPU_INSTRUCTIONS)


def mixed_precision(device: torch.device | str) -> torch.dtype | None:
    """The dtype for ``autocast`` that pays on a device.

    Args:
        device: ``"cpu"``, ``"cuda"``, or one of several cards.

    Returns:
        ``torch.bfloat16`` where the hardware multiplies it, else None: plain float32.
    """
    if torch.device(device).type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    return torch.bfloat16 if _cpu_multiplies() else None
