"""Changes of memberships, and lists of people, by digest."""

from __future__ import annotations

from framework.audiences import ChangeCount, Changes, PersonChange

ADA, BOB, CYD = (bytes([number]) * 16 for number in (1, 2, 3))


def test_a_list_is_read_by_digest_each_person_once() -> None:
    with Changes() as changes:
        changes.list_people([(CYD, 1), (ADA, 2)])
        changes.list_people([(CYD, 3), (BOB, 4)])
        assert list(changes.listed()) == [(ADA, 2), (BOB, 4), (CYD, 1)]


def test_what_is_known_from_a_line_is_not_taken_elsewhere() -> None:
    with Changes() as changes:
        changes.add(
            [
                PersonChange(ADA, 0, True, 7),
                PersonChange(BOB, 0, False),
                PersonChange(CYD, 0, True, 2),
            ]
        )
        assert list(changes.lines()) == [
            (2, PersonChange(CYD, 0, True, 2)),
            (7, PersonChange(ADA, 0, True, 7)),
        ]
        assert changes.take([ADA, BOB], {0}) == [PersonChange(BOB, 0, False)]
        assert changes.counts() == [ChangeCount(0, True, 2, 2), ChangeCount(0, False, 1, 1)]


def test_a_change_is_taken_once_until_all_are_restored() -> None:
    """A person may have one in several audiences; many people may be looked up together."""
    everybody = [number.to_bytes(16) for number in range(2_000)]
    with Changes() as changes:
        changes.add([PersonChange(BOB, 0, False), PersonChange(BOB, 1, True)])
        assert changes.number_left == 2
        taken = changes.take([*everybody, BOB, BOB], {0, 1})
        assert taken == [PersonChange(BOB, 0, False), PersonChange(BOB, 1, True)]
        assert (changes.take([BOB], {0, 1}), changes.number_left) == ([], 0)
        changes.restore()
        assert changes.take([BOB], {1}) == taken[1:]
        assert changes.number_left == 1
