from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.strict_aws import StrictAws


@pytest.fixture(scope="module")
def aws(embedded: "StrictAws") -> "StrictAws":
    """Return an account that the tests of one file share, empty at first."""
    embedded.reset()
    return embedded
