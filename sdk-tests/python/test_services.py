"""A payment service's own client against the simulators: what a team points at them must not notice."""

import os

import pytest
from mollie.api.client import Client
from mollie.api.error import UnauthorizedError, UnprocessableEntityError

ORDER = {
    "amount": {"currency": "EUR", "value": "10.00"},
    "description": "Order 1",
    "redirectUrl": "https://shop.example/return",
    "metadata": {"order_id": "order-1"},
}


def mollie(api_key):
    """Mollie's client with the simulator as its server."""
    client = Client(api_endpoint=f"{os.environ['TOLLHOUSE_SIMULATORS']}/mollie")
    client.set_api_key(api_key)
    return client


def test_mollie_creates_a_payment():
    payment = mollie("test_sdk").payments.create(ORDER)
    assert payment.id.startswith("tr_")
    assert payment.amount == ORDER["amount"]
    assert payment.metadata == ORDER["metadata"]
    assert payment.is_open()
    assert payment.checkout_url.startswith("http")


def test_mollie_raises_its_own_errors():
    with pytest.raises(UnprocessableEntityError) as refused:
        mollie("test_sdk").payments.create({key: value for key, value in ORDER.items() if key != "description"})
    assert refused.value.field == "description"
    with pytest.raises(UnauthorizedError):
        # The simulators refuse what begins with `invalid`; the client lets only keys out that begin with `test_`.
        client = mollie("test_sdk")
        client.api_key = "invalid"
        client.payments.create(ORDER)
