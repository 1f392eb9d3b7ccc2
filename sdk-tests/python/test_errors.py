"""Refusals arrive as the package's own error types, with everything they say."""

import uuid

import pytest
from gr4vy import Gr4vy, errors

from house import ADYEN, SERVICES, URL, account, bound_key, client, configure


def refused(error_class, status, code, call, **arguments):
    """The error of a call, checked."""
    with pytest.raises(error_class) as caught:
        call(**arguments)
    error = caught.value
    assert error.status_code == status
    assert (error.data.TYPE, error.data.status, error.data.code) == ("error", status, code)
    assert isinstance(error.data.details, list)
    assert error.headers["x-request-id"]
    return error


def forbidden(call, **arguments):
    return refused(errors.Error403, 403, "forbidden", call, **arguments)


def not_found(call, **arguments):
    return refused(errors.Error404, 404, "not_found", call, **arguments)


def bad(call, **arguments):
    return refused(errors.Error400, 400, "bad_request", call, **arguments).data.details


def test_a_token_that_nobody_signed():
    stranger = Gr4vy(server_url=URL, bearer_auth="abc.def.ghi")
    error = refused(errors.Error401, 401, "unauthorized", stranger.merchant_accounts.list)
    assert error.message == "No valid API authentication found"


def test_a_token_without_the_scope(house):
    name, _ = house
    reader = client(scopes=["payment-services.read"], merchant_account_id=name)
    forbidden(lambda: configure(reader, ADYEN))
    forbidden(reader.merchant_accounts.list)
    assert reader.payment_services.list().result is not None


def test_write_does_not_imply_read(house):
    forbidden(client(scopes=["*.write"], merchant_account_id=house[0]).payment_services.list)


def test_an_account_that_the_key_can_not_reach(house):
    key = bound_key(house[0]).private_key
    forbidden(client(private_key=key, merchant_account_id="default").payment_services.list)


def test_embed_tokens_create_no_sessions():
    embed = client(scopes=["embed"])
    forbidden(
        embed.payment_service_definitions.session,
        payment_service_definition_id=ADYEN["definition"],
        request_body=ADYEN["body"],
    )


def test_what_is_not_there(gr4vy):
    nobody = str(uuid.uuid4())
    not_found(gr4vy.payment_services.get, payment_service_id=nobody)
    not_found(gr4vy.payment_services.update, payment_service_id=nobody, active=True)
    not_found(gr4vy.payment_services.delete, payment_service_id=nobody)
    not_found(gr4vy.payment_services.session, payment_service_id=nobody, request_body={})
    not_found(gr4vy.payment_service_definitions.get, payment_service_definition_id="no-such")
    not_found(gr4vy.payment_service_definitions.session, payment_service_definition_id="no-such", request_body={})
    not_found(gr4vy.merchant_accounts.get, merchant_account_id="no-such")
    not_found(gr4vy.api_key_pairs.get, api_key_pair_id=nobody)
    not_found(client(merchant_account_id="no-such").payment_services.list)


def test_a_deleted_payment_service(house):
    _, gr4vy = house
    created = configure(gr4vy, ADYEN)
    gr4vy.payment_services.delete(payment_service_id=created.id)
    not_found(gr4vy.payment_services.delete, payment_service_id=created.id)
    not_found(gr4vy.payment_services.session, payment_service_id=created.id, request_body=ADYEN["body"])


def test_a_definition_that_the_account_has_no_service_of():
    bound = client(private_key=bound_key(account()[0]).private_key)
    not_found(
        bound.payment_service_definitions.session,
        payment_service_definition_id=ADYEN["definition"],
        request_body=ADYEN["body"],
    )


def test_every_member_that_is_wrong_is_named(house):
    _, gr4vy = house
    details = bad(
        gr4vy.payment_services.create,
        display_name="",
        payment_service_definition_id=ADYEN["definition"],
        fields=[{"key": "no_such_field", "value": "x"}],
        accepted_currencies=["EURO"],
        accepted_countries=["NL", "nowhere"],
    )
    pointers = [detail.pointer for detail in details]
    assert {"/accepted_currencies/0", "/accepted_countries/1"} <= set(pointers)
    assert any(pointer.startswith("/fields") for pointer in pointers)
    assert all(detail.location == "body" and detail.message and detail.type for detail in details)


def test_a_page_that_is_too_long_and_a_cursor_that_nobody_gave_out(gr4vy):
    assert [(d.location, d.pointer) for d in bad(gr4vy.merchant_accounts.list, limit=101)] == [("query", "limit")]
    assert [(d.location, d.pointer) for d in bad(gr4vy.merchant_accounts.list, cursor="no")] == [("query", "cursor")]


def test_a_service_that_is_switched_off(house):
    _, gr4vy = house
    created = configure(gr4vy, ADYEN)
    gr4vy.payment_services.update(payment_service_id=created.id, active=False)
    details = bad(gr4vy.payment_services.session, payment_service_id=created.id, request_body=ADYEN["body"])
    assert details[0].type == "not_supported"


def test_a_definition_without_sessions(gr4vy):
    details = bad(
        gr4vy.payment_service_definitions.session, payment_service_definition_id="mock-card", request_body={}
    )
    assert details[0].type == "not_supported"


def test_a_member_that_a_session_must_not_carry(house):
    _, gr4vy = house
    stripe = next(service for service in SERVICES if service["definition"] == "stripe-card")
    created = configure(gr4vy, stripe)
    body = {**stripe["body"], "confirm": True}
    details = bad(gr4vy.payment_services.session, payment_service_id=created.id, request_body=body)
    assert [detail.pointer for detail in details] == ["/confirm"]


def test_an_id_with_characters_that_no_id_has(gr4vy):
    details = bad(gr4vy.merchant_accounts.create, id="not an id", display_name="X")
    assert [detail.pointer for detail in details] == ["/id"]


def test_a_role_that_nobody_knows(gr4vy):
    details = bad(gr4vy.api_key_pairs.create, display_name="X", role_ids=[str(uuid.uuid4())])
    assert [detail.pointer for detail in details] == ["/role_ids/0"]


def test_a_merchant_account_twice(gr4vy, house):
    error = refused(
        errors.Error409,
        409,
        "duplicate_record",
        gr4vy.merchant_accounts.create,
        id=house[0],
        display_name="Again",
    )
    assert error.raw_response.json()["resource_id"] == house[0]
