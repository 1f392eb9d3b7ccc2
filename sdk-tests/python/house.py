"""What every test of this folder needs: the server, the key, clients, and merchant accounts of its own."""

import copy
import json
import os
import uuid
from pathlib import Path

from gr4vy import Gr4vy, auth

URL = os.environ["TOLLHOUSE_URL"]
PRIVATE_KEY = Path(os.environ["TOLLHOUSE_KEY_FILE"]).read_text()

# The five payment services with bodies that work and bodies that do not, shared with the TypeScript tests.
SERVICES = json.loads((Path(__file__).parent.parent / "services.json").read_text())
ADYEN = SERVICES[0]


def client(private_key=PRIVATE_KEY, scopes=None, **options):
    """A client with the key of the first run, or with another one."""
    return Gr4vy(server_url=URL, bearer_auth=auth.with_token(private_key, scopes=scopes), **options)


def account():
    """A fresh merchant account, and a client whose operations work in it."""
    name = f"py-{uuid.uuid4()}"
    client().merchant_accounts.create(id=name, display_name="Python")
    return name, client(merchant_account_id=name)


def bound_key(account_id):
    """A key pair that can reach one account only: routes without the account header then work in it."""
    gr4vy = client()
    roles = gr4vy.roles.list(limit=100).result.items
    role = next(role for role in roles if "*.write" in role.permissions.allow)
    return gr4vy.api_key_pairs.create(display_name="Bound", role_ids=[role.id], merchant_account_ids=[account_id])


def fields_of(service, **overrides):
    """The fields of a simulated service as the package takes them."""
    values = {**service["fields"], "mode": "simulator", **overrides}
    return [{"key": key, "value": value} for key, value in values.items()]


def configure(gr4vy, service, display_name=None, **overrides):
    """Configures a simulated payment service."""
    return gr4vy.payment_services.create(
        display_name=display_name or service["definition"],
        payment_service_definition_id=service["definition"],
        fields=fields_of(service, **overrides),
        accepted_currencies=["EUR"],
        accepted_countries=["NL"],
    )


def with_member(body, path, value):
    """A body with one member replaced."""
    changed = copy.deepcopy(body)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def at(value, path):
    """The value at a path, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def pages(first):
    """Every page of a list, by the package's own iteration."""
    page = first
    while page is not None:
        yield page.result
        page = page.next()
