"""Causes in certificates, keys, credentials and rights."""

from opssage.diagnosis import Action
from tasks.diagnose.catalogue.commands import RESTART, ROLLOUT_STATUS
from tasks.diagnose.catalogue.configuration import ROLL_BACK
from tasks.diagnose.cause import (
    HARM,
    OCCASIONAL,
    POSITIVE,
    RARE,
    SLIGHT,
    STRONG,
    VERY_STRONG,
    Cause,
    Fact,
    Sign,
    either,
    unless,
)
from tasks.diagnose.scene import Where


def _rejected(signal: str) -> tuple[Sign, ...]:
    """Return the signs of credentials or keys that are turned away, as `signal` words it.

    Either side may be the one that changed: the one that shows them, the one that checks them.
    """
    return (
        *either(Fact.TOLD, STRONG, signal),
        *either(Fact.TOLD, STRONG, signal, where=Where.COMPLAINTS),
        *either(Fact.TOLD, STRONG, signal, where=Where.ACCUSED),
        *either(Fact.TOLD, POSITIVE, signal, where=Where.CALLERS),
        *either(Fact.EFFECT, POSITIVE, *HARM),
        *either(Fact.EFFECT, POSITIVE, "metric.edge_errors", where=Where.ACCUSED),
        *either(Fact.CHANGE, POSITIVE, "change.rollout_before_onset"),
        *unless(SLIGHT, "change.rollout_after_onset"),
    )


CREDENTIALS = (
    Cause(
        name="auth_key_regression",
        category="credentials",
        kinds=("service", "pod"),
        titles=("Authentication key regression in {component}: token signatures do not verify",),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_rejected("log.auth_signature"),
        now=(
            ROLL_BACK,
            Action(
                action="Compare the signing key and key id of the issuer with what verifiers load",
                command="kubectl -n {namespace} get secret",
                verify="the key id in a fresh token is among the keys the verifiers know",
            ),
        ),
        later=(
            Action(action="Rotate keys with an overlap: publish the new one before it signs"),
            Action(action="Verify a token of the old and of the new version before a release"),
        ),
        next_checks=(
            "Decode the header of a rejected token and compare its key id with the published keys",
            "Compare the key material mounted by new and old pods of {name}",
        ),
    ),
    Cause(
        name="certificate_expired",
        category="certificate",
        kinds=("service", "pod"),
        titles=(
            "The TLS certificate of {host} has expired, as {component} reports",
            "A TLS certificate that {component} uses has expired",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.tls_expired"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *unless(SLIGHT, "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="Read the certificate's dates",
                command="openssl s_client -connect {host}:443 -servername {host} </dev/null "
                "| openssl x509 -noout -dates -subject",
                verify="notAfter lies in the past",
            ),
            Action(
                action="Renew the certificate and reload what serves it",
                risk="medium",
                verify="the new certificate is served and the errors stop",
            ),
        ),
        later=(
            Action(action="Renew certificates automatically and alert three weeks before expiry"),
        ),
        next_checks=("Compare the clock of the node with the dates of the certificate",),
    ),
    Cause(
        name="certificate_untrusted",
        category="certificate",
        kinds=("service", "pod"),
        titles=(
            "{component} does not trust the certificate of {host}",
            "{component} does not trust a certificate it is shown",
        ),
        prior=RARE,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, VERY_STRONG, "log.tls_invalid"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, POSITIVE, "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="Compare the chain that is served with the authorities {name} trusts",
                command="openssl s_client -connect {host}:443 -showcerts </dev/null",
                verify="issuer and host name of the certificate are the expected ones",
            ),
        ),
        later=(Action(action="Distribute the bundle of authorities from one place"),),
        next_checks=("Check whether the authority, the chain or the host name changed",),
    ),
    Cause(
        name="credentials_rejected",
        category="credentials",
        kinds=("service", "pod"),
        titles=(
            "{component} rejects the credentials of {caller}",
            "{host} rejects the credentials of {component}",
            "Credentials of user {user}, which {component} uses, are rejected",
            "Credentials that {component} uses are rejected",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=_rejected("log.auth_failed"),
        now=(
            Action(
                action="Compare the secret the pods have mounted with the one that is valid",
                command="kubectl -n {namespace} get secret",
                verify="a login with the mounted credentials succeeds",
            ),
            Action(
                action="Put the valid credentials in place and restart {name}",
                risk="medium",
                command=RESTART,
                verify=ROLLOUT_STATUS,
            ),
        ),
        later=(Action(action="Restart consumers when a secret rotates, with an overlap of both"),),
        next_checks=("Find out when the secret was rotated, and by whom",),
    ),
    Cause(
        name="permission_denied",
        category="permission",
        kinds=("service", "pod"),
        titles=(
            "{component} lacks a permission: {user} may not use {object}",
            "{component} lacks the permission for {object}",
            "{component} lacks a permission",
        ),
        prior=OCCASIONAL,
        needs=(Fact.TOLD,),
        signs=(
            *either(Fact.TOLD, STRONG, "log.permission_denied"),
            *either(Fact.EFFECT, POSITIVE, *HARM),
            *either(Fact.CHANGE, POSITIVE, "change.rollout_before_onset"),
        ),
        now=(
            Action(
                action="Ask what the service account may do",
                command="kubectl -n {namespace} auth can-i --list "
                "--as system:serviceaccount:{namespace}:<service-account>",
                verify="the refused verb and resource are missing from the list",
            ),
            Action(
                action="Grant the missing right, no wider than needed",
                risk="medium",
                verify="the refused call succeeds",
            ),
        ),
        later=(Action(action="Keep roles beside the workload and test them before a release"),),
        next_checks=("Compare Roles, RoleBindings and file modes with the last working state",),
    ),
)
