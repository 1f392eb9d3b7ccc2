"""The other operations of the session core, through the methods of the package."""

import uuid
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gr4vy import errors

from house import ADYEN, SERVICES, account, bound_key, client, configure, fields_of, pages

by_name = pytest.mark.parametrize("service", SERVICES, ids=[service["definition"] for service in SERVICES])


class TestDefinitions:
    def test_the_iterator_reads_the_whole_catalogue(self, gr4vy):
        read = list(pages(gr4vy.payment_service_definitions.list(limit=7)))
        ids = [item.id for page in read for item in page.items]
        assert len(read) > 1
        assert all(len(page.items) <= 7 and page.limit == 7 for page in read)
        assert ids == sorted(set(ids))
        assert {service["definition"] for service in SERVICES} <= set(ids)

    @by_name
    def test_a_definition_says_what_it_needs(self, gr4vy, service):
        definition = gr4vy.payment_service_definitions.get(payment_service_definition_id=service["definition"])
        assert (definition.TYPE, definition.id) == ("payment-service-definition", service["definition"])
        fields = {field.key: field for field in definition.fields}
        assert fields[service["secret"]].secret
        assert set(service["fields"]) <= set(fields)


class TestPaymentServices:
    def test_create_get_update_list_delete(self, house):
        name, gr4vy = house
        created = configure(gr4vy, ADYEN, display_name="Adyen for the Netherlands")
        assert (created.TYPE, created.merchant_account_id) == ("payment-service", name)
        assert (created.active, created.status, created.is_deleted, created.position) == (True, "created", False, 1)
        assert isinstance(created.created_at, datetime) and created.created_at.tzinfo is not None
        fields = {field.key: field.value for field in created.fields}
        assert fields["merchant_account"] == "SdkTests"
        assert ADYEN["secret"] not in fields, "secrets never come back"
        assert gr4vy.payment_services.get(payment_service_id=created.id) == created

        updated = gr4vy.payment_services.update(
            payment_service_id=created.id,
            display_name="Adyen",
            position=5,
            accepted_currencies=["EUR", "USD"],
            fields=[{"key": "merchant_account", "value": "Other"}],
        )
        assert (updated.display_name, updated.position) == ("Adyen", 5)
        assert updated.accepted_currencies == ["EUR", "USD"]
        assert updated.accepted_countries == created.accepted_countries, "what is left out stays"
        answer = gr4vy.payment_services.session(payment_service_id=created.id, request_body=ADYEN["body"])
        assert answer.response_body["merchantAccount"] == "Other", "a change holds from the next session on"

        assert [item.id for item in gr4vy.payment_services.list(method="ideal").result.items] == [created.id]
        assert gr4vy.payment_services.list(method="card").result.items == []

        gr4vy.payment_services.delete(payment_service_id=created.id)
        assert gr4vy.payment_services.list().result.items == []
        deleted = gr4vy.payment_services.list(deleted=True).result.items
        assert [(item.id, item.is_deleted) for item in deleted] == [(created.id, True)]

    def test_the_iterator_reads_every_page_newest_first(self):
        _, gr4vy = account()
        made = [configure(gr4vy, SERVICES[1], display_name=f"Stripe {n}").id for n in range(5)]
        read = list(pages(gr4vy.payment_services.list(limit=2)))
        assert [len(page.items) for page in read] == [2, 2, 1]
        assert [item.id for page in read for item in page.items] == made[::-1]

    @by_name
    def test_credentials_are_verified(self, house, service):
        _, gr4vy = house

        def verify(**overrides):
            return gr4vy.payment_services.verify(
                payment_service_definition_id=service["definition"], fields=fields_of(service, **overrides)
            )

        verify()
        with pytest.raises(errors.Error400) as caught:
            verify(**{service["secret"]: "invalid-credential"})
        details = caught.value.data.details
        assert details and all(detail.pointer.startswith("/fields/") for detail in details)

    def test_stored_credentials_stand_in_for_those_left_out(self, house):
        _, gr4vy = house
        created = configure(gr4vy, ADYEN)
        gr4vy.payment_services.verify(
            payment_service_definition_id=ADYEN["definition"],
            payment_service_id=created.id,
            fields=[{"key": "merchant_account", "value": "Another"}],
        )

    def test_a_call_can_name_its_own_merchant_account(self, gr4vy, house):
        name, own = house
        created = configure(own, ADYEN)
        assert gr4vy.payment_services.get(payment_service_id=created.id, merchant_account_id=name).id == created.id
        with pytest.raises(errors.Error404):
            gr4vy.payment_services.get(payment_service_id=created.id)


class TestMerchantAccounts:
    def test_create_get_update_list(self, gr4vy):
        name = f"py-{uuid.uuid4()}"
        created = gr4vy.merchant_accounts.create(id=name, display_name="First name")
        assert (created.TYPE, created.id, created.display_name) == ("merchant-account", name, "First name")
        assert created.account_updater_enabled is False
        assert gr4vy.merchant_accounts.get(merchant_account_id=name) == created
        updated = gr4vy.merchant_accounts.update(
            merchant_account_id=name, display_name="Second name", over_capture_amount=500
        )
        assert (updated.display_name, updated.over_capture_amount) == ("Second name", 500)
        assert [item.id for item in gr4vy.merchant_accounts.list(search=name).result.items] == [name]

    def test_the_iterator_reads_them_all(self, gr4vy):
        for _ in range(3):
            account()
        ids = [item.id for page in pages(gr4vy.merchant_accounts.list(limit=2)) for item in page.items]
        assert len(ids) == len(set(ids))
        assert "default" in ids


class TestKeys:
    def test_a_generated_key_pair_signs_tokens_until_it_is_deleted(self, gr4vy):
        name, _ = account()
        pair = bound_key(name)
        assert (pair.TYPE, pair.algorithm, pair.active) == ("api-key-pair", "ECDSA", True)
        assert pair.private_key.startswith("-----BEGIN PRIVATE KEY-----")
        assert [item.id for item in pair.merchant_accounts] == [name]
        bound = client(private_key=pair.private_key)
        created = configure(bound, ADYEN)
        assert created.merchant_account_id == name, "the key decides the account"

        read = gr4vy.api_key_pairs.get(api_key_pair_id=pair.id)
        assert (read.thumbprint, read.private_key) == (pair.thumbprint, None)
        assert pair.id in [item.id for page in pages(gr4vy.api_key_pairs.list(limit=2)) for item in page.items]
        updated = gr4vy.api_key_pairs.update(api_key_pair_id=pair.id, display_name="Renamed", active=False)
        assert (updated.display_name, updated.active) == ("Renamed", False)
        with pytest.raises(errors.Error401):
            bound.payment_services.get(payment_service_id=created.id)
        gr4vy.api_key_pairs.update(api_key_pair_id=pair.id, active=True)
        assert bound.payment_services.get(payment_service_id=created.id).id == created.id
        gr4vy.api_key_pairs.delete(api_key_pair_id=pair.id)
        with pytest.raises(errors.Error401):
            bound.payment_services.get(payment_service_id=created.id)
        with pytest.raises(errors.Error404):
            gr4vy.api_key_pairs.get(api_key_pair_id=pair.id)

    def test_a_key_of_the_callers_own_works_once(self, gr4vy):
        key = ec.generate_private_key(ec.SECP521R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        role = next(role for role in gr4vy.roles.list().result.items if "*.write" in role.permissions.allow)
        pair = gr4vy.api_key_pairs.create(display_name="Own key", role_ids=[role.id], public_key=public)
        assert pair.private_key is None
        assert client(private_key=private).merchant_accounts.get(merchant_account_id="default").id == "default"
        with pytest.raises(errors.Error409) as caught:
            gr4vy.api_key_pairs.create(display_name="Again", role_ids=[role.id], public_key=public)
        assert caught.value.raw_response.json()["resource_id"] == pair.id

    def test_roles_have_scopes(self, gr4vy):
        roles = [item for page in pages(gr4vy.roles.list(limit=2)) for item in page.items]
        assert len(roles) >= 4
        assert len({role.id for role in roles}) == len(roles)
        for role in roles:
            assert role.TYPE == "role" and role.permissions.allow
            assert "api-key-pair" in role.assignable_to


class TestAuditLog:
    def test_it_says_who_changed_what(self):
        name, gr4vy = account()
        created = configure(gr4vy, ADYEN, display_name="Watched")
        gr4vy.payment_services.update(payment_service_id=created.id, active=False)
        gr4vy.payment_services.delete(payment_service_id=created.id)
        read = pages(gr4vy.audit_logs.list(limit=2, resource_type="payment-service"))
        entries = [entry for page in read for entry in page.items]
        assert [entry.action for entry in entries] == ["deleted", "updated", "created"]
        for entry in entries:
            assert (entry.TYPE, entry.merchant_account_id) == ("audit-log", name)
            assert entry.resource.id == created.id
            assert entry.user.name and isinstance(entry.timestamp, datetime)
        only = gr4vy.audit_logs.list(action="updated", resource_type="payment-service").result.items
        assert [entry.action for entry in only] == ["updated"]
        assert len(gr4vy.audit_logs.list(user_id=entries[0].user.id).result.items) >= 3
        assert gr4vy.audit_logs.list(user_id=str(uuid.uuid4())).result.items == []
