"""What boto3 makes of error answers."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def boto_refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Return status, code and message of a call that is refused."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer: Any = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def boto_refusal_code(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Return status and code of a call that is refused, where the words are not what matters."""
    status, code, _ = boto_refusal(call, **arguments)
    return status, code
