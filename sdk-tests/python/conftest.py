"""Fixtures: one merchant account for a file, with a client in it and a client whose key is bound to it."""

import pytest

from house import account, bound_key, client


@pytest.fixture(scope="module")
def gr4vy():
    """A client with the key of the first run."""
    return client()


@pytest.fixture(scope="module")
def house():
    """The id of a merchant account and a client that works in it."""
    return account()


@pytest.fixture(scope="module")
def bound(house):
    """A client whose key reaches that account only."""
    return client(private_key=bound_key(house[0]).private_key)
