"""When a server that does not answer is asked again."""

from stores.breaker import Breaker


def test_after_some_waits_in_vain_one_ask_in_a_while_is_let_through_until_one_is_answered() -> None:
    now = [100.0]
    breaker = Breaker(2, 5.0, lambda: now[0])
    assert breaker.may_ask()
    breaker.waited_in_vain()
    assert breaker.may_ask()
    breaker.waited_in_vain()
    assert not breaker.may_ask()
    now[0] = 105.0
    assert breaker.may_ask(), "one tries"
    assert not breaker.may_ask(), "the others do not wait with it"
    breaker.waited_in_vain()
    now[0] = 109.9
    assert not breaker.may_ask()
    now[0] = 110.0
    assert breaker.may_ask()
    breaker.answered()
    assert all(breaker.may_ask() for _ in range(10))


def test_an_answer_between_two_waits_starts_the_count_anew() -> None:
    breaker = Breaker(2, 5.0, lambda: 0.0)
    for _ in range(3):
        breaker.waited_in_vain()
        breaker.answered()
    assert breaker.may_ask()
