"""Criteo's own Python SDK runs against the sandbox on loopback, unchanged."""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import Fault, serve


def sdk(name: str) -> Any:
    """Import a module of the SDK."""
    return importlib.import_module(f"criteo_api_marketingsolutions_v2027_01.{name}")


# From Python 3.12 on; the SDK reads the clock the old way.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow\(\) is deprecated:DeprecationWarning:criteo_api_"
)


@pytest.fixture
def sandbox() -> CriteoSandbox:
    return CriteoSandbox()


@pytest.fixture
def client(sandbox: CriteoSandbox) -> Iterator[Any]:
    builder = sdk("api_client_builder").ApiClientBuilder
    with serve(sandbox) as server:
        opened = builder.WithClientCredentials("sandbox-client", "sandbox-secret", host=server.url)
        yield opened
        opened.close()


@pytest.fixture
def api(client: Any) -> Any:
    return sdk("api.audience_api").AudienceApi(client)


def search(api: Any, **paging: int) -> Any:
    attributes = model("AudienceSegmentSearchEntityV1", advertiser_ids=["12345"])
    resource = model("AudienceSegmentSearchEntityV1Resource", attributes=attributes)
    body = model("AudienceSegmentSearchInputV1", data=resource)
    return api.search_audience_segments(audience_segment_search_input_v1=body, **paging)


def create(api: Any, *names: str) -> Any:
    resources = [
        model(
            "AudienceSegmentCreateEntityV1Resource",
            type="AudienceSegment",
            attributes=model(
                "AudienceSegmentCreateEntityV1", advertiser_id="12345", name=name, contact_list={}
            ),
        )
        for name in names
    ]
    body = model("AudienceSegmentBulkCreateInputV1", data=resources)
    return api.create_audience_segments(audience_segment_bulk_create_input_v1=body)


def amend(api: Any, segment: str, operation: str, identifiers: list[str]) -> Any:
    attributes = model(
        "ContactlistAmendmentAttributes",
        operation=operation,
        identifier_type="email",
        identifiers=identifiers,
    )
    data = model("ContactlistAmendment", type="ContactlistAmendment", attributes=attributes)
    body = model("ContactlistAmendmentRequest", data=data)
    return api.update_contact_list_by_audience_segment(segment, contactlist_amendment_request=body)


def delete(api: Any, segment: str) -> Any:
    resource = model("AudienceSegmentDeleteEntityV1Resource", id=segment, type="AudienceSegment")
    body = model("AudienceSegmentBulkDeleteInputV1", data=[resource])
    return api.delete_audience_segments(audience_segment_bulk_delete_input_v1=body)


def model(name: str, /, **values: Any) -> Any:
    """Construct one of the SDK's models."""
    return getattr(sdk(f"model.{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}"), name)(**values)


def test_the_plain_sequence(sandbox: CriteoSandbox, api: Any) -> None:
    """Token, search, create, add, remove, statistics, sizes, clear, delete."""
    assert search(api).data == []
    (created,) = create(api, "spring").data
    assert created.id == "70001"
    assert created.attributes.name == "spring"
    assert created.attributes.contact_list.is_read_only is False
    assert isinstance(created.attributes.created_at, dt.datetime)
    found = search(api, limit=100, offset=0)
    assert (found.meta.total_items, found.data[0].id) == (1, "70001")

    added = amend(api, "70001", "add", ["a@b.example", "c@d.example", "nobody"])
    assert (added.errors, added.warnings) == ([], [])
    assert added.data.attributes.contact_list_id == 70001
    assert added.data.attributes.nb_valid_identifiers == 2
    assert added.data.attributes.sample_invalid_identifiers == ["nobody"]
    amend(api, "70001", "remove", ["c@d.example"])
    assert sandbox.members("spring") == {"a@b.example"}

    counts = api.get_audience_segment_contact_list_statistics("70001").data.attributes
    assert (counts.number_of_identifiers, counts.number_of_matches) == (1, 0)
    assert isinstance(counts.match_rate, float)
    cleared = api.delete_contact_list_by_audience_segment("70001")
    assert cleared.data.id == "70001"
    assert sandbox.members("spring") == set()
    assert [one.id for one in delete(api, "70001").data] == ["70001"]
    assert search(api).meta.total_items == 0
    assert sandbox.calls["token"] == 1


def test_sizes_and_updates(sandbox: CriteoSandbox, api: Any) -> None:
    segment = sandbox.add_segment("spring", members=["a@b.example", "c@d.example"])
    resource = model("AudienceSegmentComputeSizeEntityV1Resource", id=segment, type="x")
    body = model("AudienceSegmentComputeSizesInputV1", data=[resource])
    sizes = api.compute_audience_segments_sizes(audience_segment_compute_sizes_input_v1=body)
    assert sizes.data[0].attributes.size == 1

    description = model("NillableString", value=None)
    attributes = model("AudienceSegmentUpdateEntityV1", name="summer", description=description)
    resource = model("AudienceSegmentUpdateEntityV1Resource", id=segment, attributes=attributes)
    body = model("AudienceSegmentBulkUpdateInputV1", data=[resource])
    updated = api.update_audience_segments(audience_segment_bulk_update_input_v1=body)
    assert updated.data[0].attributes.name == "summer"

    place = model("InMarketSizeEstimationV1", country="FR", interest_ids=["1"])
    attributes = model(
        "AudienceSegmentSizeEstimationEntityV1", advertiser_id="12345", in_market=place
    )
    resource = model("AudienceSegmentSizeEstimationEntityV1Resource", attributes=attributes)
    body = model("AudienceSegmentEstimateSizeInputV1", data=resource)
    estimate = api.estimate_audience_segments_sizes(audience_segment_estimate_size_input_v1=body)
    assert isinstance(estimate.data.attributes.size, int)


def test_who_is_calling_and_for_whom(client: Any) -> None:
    app = sdk("api.gateway_api").GatewayApi(client).get_current_application()
    assert app.data.attributes.name == "sandbox-client"
    portfolio = sdk("api.advertiser_api").AdvertiserApi(client).list_advertisers()
    assert [one.id for one in portfolio.data] == ["12345"]


@pytest.mark.parametrize("form", ["errors", "warnings"])
def test_refused_items_are_readable(sandbox: CriteoSandbox, api: Any, form: Any) -> None:
    sandbox.options = CriteoOptions(refused_items=form, trace_field="both")
    answer = create(api, "spring", "spring")
    (refused,) = getattr(answer, form)
    assert (refused.code, refused.instance) == ("name-must-be-unique", "@data/1")
    assert refused.trace_id == refused.trace_identifier
    assert [one.id for one in answer.data] == ["70001"]


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("expired-token", "UnauthorizedException", 401),
        ("rate-limited", "ApiException", 429),
        ("server-error", "ServiceException", 500),
        ("unavailable", "ServiceException", 503),
    ],
)
def test_faults_become_the_sdks_exceptions(
    sandbox: CriteoSandbox, api: Any, kind: str, error: str, status: int
) -> None:
    sandbox.inject(Fault(kind, route="search"))
    with pytest.raises(getattr(sdk("exceptions"), error)) as caught:
        search(api)
    assert caught.value.status == status
    assert '"traceId"' in caught.value.body


def test_refusals_become_the_sdks_exceptions(sandbox: CriteoSandbox, api: Any) -> None:
    exceptions = sdk("exceptions")
    with pytest.raises(exceptions.NotFoundException):
        amend(api, "999", "add", ["a@b.example"])
    sandbox.add_segment("foreign", advertiser="99")
    with pytest.raises(exceptions.ForbiddenException):
        amend(api, "70001", "add", ["a@b.example"])
    sandbox.options = CriteoOptions(rate_limit=0, rate_body="empty")
    with pytest.raises(exceptions.ApiException) as caught:
        search(api)
    assert (caught.value.status, caught.value.body) == (429, "")


def test_a_missing_refresh_field_breaks_the_sdk(sandbox: CriteoSandbox, api: Any) -> None:
    """Therefore the sandbox includes it by default."""
    sandbox.options = CriteoOptions(refresh_field="absent")
    with pytest.raises(KeyError, match="refresh_token"):
        search(api)


def test_what_the_sdk_sends(sandbox: CriteoSandbox, api: Any) -> None:
    search(api)
    token, search_call = sandbox.requests
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert search_call.headers["content-type"] == "application/json"
    assert search_call.headers["accept"] == "application/json"
    assert re.fullmatch(r"OpenAPI-Generator/.+/python", search_call.headers["user-agent"])
    assert search_call.path == "/2027-01/marketing-solutions/audience-segments/search"
