"""Audiences as their ledger knows them: compared with lists, repaired, mirrored, and erased."""

from framework.audiences.comparison import ListComparison, add_pending, compare, read_members
from framework.audiences.erasure import KeptAbout, PersonFinder
from framework.audiences.identifier_lists import IdentifierList
from framework.audiences.ledger_json import (
    audience_place,
    audience_to_json,
    kind_of,
    member_to_json,
    moment_text,
    state_counts,
    why_sent,
)
from framework.audiences.member_delivery import (
    ChangeKind,
    MemberDelivery,
    Order,
    SentChanges,
    orders_of,
    take_known,
)
from framework.audiences.person_changes import ChangeCount, Changes, PersonChange
from framework.audiences.sources import (
    EventPeople,
    GivenPeople,
    ListedPeople,
    Malformed,
    MalformedLines,
    PeopleReader,
    PeopleSource,
    Person,
)
from framework.audiences.whole_lists import check_list, send_list

__all__ = [
    "ChangeCount",
    "ChangeKind",
    "Changes",
    "EventPeople",
    "GivenPeople",
    "IdentifierList",
    "KeptAbout",
    "ListComparison",
    "ListedPeople",
    "Malformed",
    "MalformedLines",
    "MemberDelivery",
    "Order",
    "PeopleReader",
    "PeopleSource",
    "Person",
    "PersonChange",
    "PersonFinder",
    "SentChanges",
    "add_pending",
    "audience_place",
    "audience_to_json",
    "check_list",
    "compare",
    "kind_of",
    "member_to_json",
    "moment_text",
    "orders_of",
    "read_members",
    "send_list",
    "state_counts",
    "take_known",
    "why_sent",
]
