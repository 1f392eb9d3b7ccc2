"""Past a limit the package raises its own 429 error, and nobody else is held up."""

import time
from concurrent.futures import ThreadPoolExecutor

from gr4vy import Gr4vy, errors

from house import URL, client

# Well above what run.sh lets one address get wrong in the seconds that it takes to ask.
ATTEMPTS = 100


def test_an_address_that_sends_too_many_wrong_tokens():
    stranger = Gr4vy(server_url=URL, bearer_auth="abc.def.ghi")

    def attempt(_):
        try:
            stranger.roles.list()
        except (errors.Error401, errors.Error429) as error:
            return error
        raise AssertionError("a wrong token passed")

    with ThreadPoolExecutor(max_workers=16) as attackers:
        raised = list(attackers.map(attempt, range(ATTEMPTS)))
    limited = [error for error in raised if isinstance(error, errors.Error429)]
    assert limited, "no request was limited"
    for error in limited:
        assert error.status_code == 429
        assert (error.data.TYPE, error.data.code, error.data.details) == ("error", "too_many_requests", [])
        assert int(error.headers["retry-after"]) >= 1

    # A client with a key has the same address, and is not touched.
    assert client().roles.list().result.items

    # After the time that was named the answer is what it always was; the tests that follow count on it.
    time.sleep(max(int(error.headers["retry-after"]) for error in limited))
    assert isinstance(attempt(None), errors.Error401)
