"""Sessions on all five payment services, through both routes, succeeded and failed."""

import copy
import time

import pytest

from house import ADYEN, SERVICES, account, at, bound_key, client, configure, with_member

ROUTES = ["by service", "by definition"]
by_name = pytest.mark.parametrize("service", SERVICES, ids=[service["definition"] for service in SERVICES])
by_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture(scope="module")
def session(house, bound):
    """Creates a session with a service by either route."""
    _, gr4vy = house
    configured = {service["definition"]: configure(gr4vy, service).id for service in SERVICES}

    def create(service, route, body):
        if route == "by service":
            return gr4vy.payment_services.session(payment_service_id=configured[service["definition"]], request_body=body)
        return bound.payment_service_definitions.session(
            payment_service_definition_id=service["definition"], request_body=body
        )

    return create


def is_failed(session, code, status_code, member=None):
    assert (session.TYPE, session.status) == ("payment-service-session", "failed")
    assert (session.code, session.status_code) == (code, status_code)
    if member:
        assert at(session.response_body, member), "the service's own words come back"


@by_route
@by_name
def test_a_session_succeeds(session, service, route):
    answer = session(service, route, service["body"])
    assert (answer.TYPE, answer.status, answer.code) == ("payment-service-session", "succeeded", None)
    assert answer.status_code == service["answer"]["status_code"]
    assert at(answer.response_body, service["answer"]["member"])
    for name, value in service["answer"]["echo"].items():
        assert answer.response_body[name] == value


@by_route
@by_name
def test_a_refusal_of_the_service_is_an_answer(session, service, route):
    body = with_member(service["body"], service["wish"], "simulate:decline")
    is_failed(session(service, route, body), **service["missing"])


@by_route
@by_name
def test_credentials_that_are_no_longer_good(session, service, route):
    body = with_member(service["body"], service["wish"], "simulate:401")
    is_failed(session(service, route, body), **service["refused"])


# One of the five requires nothing of its caller.
@by_route
@pytest.mark.parametrize(
    "service",
    [service for service in SERVICES if service["required"]],
    ids=[service["definition"] for service in SERVICES if service["required"]],
)
def test_what_the_service_misses_the_service_says(session, service, route):
    body = copy.deepcopy(service["body"])
    for name in service["required"]:
        del body[name]
    is_failed(session(service, route, body), **service["missing"])


@by_route
@by_name
@pytest.mark.parametrize(
    "wish, code, status_code",
    [("429", "SERVICE_RATE_LIMIT", 429), ("500", "SERVICE_ERROR", 500), ("drop", "SERVICE_NETWORK_ERROR", None)],
)
def test_other_ways_to_fail(session, service, route, wish, code, status_code):
    body = with_member(service["body"], service["wish"], f"simulate:{wish}")
    is_failed(session(service, route, body), code, status_code)


@by_name
def test_nonsense_is_an_invalid_response(session, service):
    body = with_member(service["body"], service["wish"], "simulate:malformed")
    answer = session(service, ROUTES[0], body)
    is_failed(answer, "INVALID_SERVICE_RESPONSE", service["answer"]["status_code"])
    assert answer.response_body is None


@by_name
def test_wrong_credentials_are_the_services_to_refuse(house, service):
    _, gr4vy = house
    wrong = configure(gr4vy, service, **{service["secret"]: "invalid-credential"})
    answer = gr4vy.payment_services.session(payment_service_id=wrong.id, request_body=service["body"])
    is_failed(answer, **service["refused"])
    gr4vy.payment_services.delete(payment_service_id=wrong.id)


@by_route
def test_a_slow_service_fails_before_the_client_gives_up(session, route):
    """The client's own time limit is five seconds unless it is told otherwise."""
    started = time.monotonic()
    answer = session(ADYEN, route, with_member(ADYEN["body"], ADYEN["wish"], "simulate:slow"))
    assert time.monotonic() - started < 5
    is_failed(answer, "SERVICE_NETWORK_ERROR", None)
    assert answer.response_body is None


def test_the_first_service_by_position_answers_for_its_definition():
    name, gr4vy = account()
    bound = client(private_key=bound_key(name).private_key)

    def merchant_account():
        answer = bound.payment_service_definitions.session(
            payment_service_definition_id=ADYEN["definition"], request_body=ADYEN["body"]
        )
        return answer.response_body["merchantAccount"]

    first = configure(gr4vy, ADYEN, merchant_account="First")
    configure(gr4vy, ADYEN, merchant_account="Second")
    assert merchant_account() == "First"
    gr4vy.payment_services.update(payment_service_id=first.id, active=False)
    assert merchant_account() == "Second"


def test_the_body_travels_whole(session):
    amount = {"currency": "EUR", "value": 1000, "note": "ä€😀", "nested": {"deep": [1.5, None, True, {"a": "b"}]}}
    answer = session(ADYEN, ROUTES[0], {**ADYEN["body"], "amount": amount})
    assert answer.response_body["amount"] == amount
