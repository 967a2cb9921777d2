"""Run an OpenID provider until it is stopped.

    openid_provider.py ADDRESS PORT CERTIFICATE KEY

Its one client is airflow, whose secret is in the environment variable ``CLIENT_SECRET``.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import unquote

import flask
import oidc_provider_mock

# The groups of each user.
USERS = {"ada": ["airflow-admins"], "bob": ["analysts"], "eve": [], "admin": ["airflow-admins"]}


def main() -> None:
    """Command line."""
    address, port, certificate, key = sys.argv[1:]
    users = [
        oidc_provider_mock.User(
            sub=f"id-of-{name}",
            claims={
                "preferred_username": name,
                "given_name": name,
                "family_name": "Example",
                "email": f"{name}@login.example.org",
                "groups": groups,
            },
        )
        for name, groups in USERS.items()
    ]
    provider = oidc_provider_mock.app(user_claims=users)

    @provider.before_request
    def check_client() -> None:
        given = flask.request.authorization
        if flask.request.path != "/oauth2/token":
            return
        if not given or unquote(given.password or "") != unquote(os.environ["CLIENT_SECRET"]):
            flask.abort(401)

    provider.run(host=address, port=int(port), ssl_context=(certificate, key), use_reloader=False, threaded=True)


if __name__ == "__main__":
    main()
