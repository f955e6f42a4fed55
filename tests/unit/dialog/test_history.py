from slukh.dialog.history import History


def asked(history: History, *turns: str) -> None:
    for turn in turns:
        history.caller(turn)
        history.answered([{"type": "text", "text": f"{turn}!"}])


def texts(history: History) -> list[str]:
    return [message["content"][0]["text"] for message in history.messages]


def test_what_is_said_while_a_call_is_told_in_short_stays_as_it_was_said() -> None:
    history = History()
    asked(history, "1", "2", "3", "4", "5", "6")
    old = history.to_sum_up()
    assert old == (4, "Caller: 1\nAgent: 1!\nCaller: 2\nAgent: 2!")
    asked(history, "7", "8")
    history.interrupted("8")
    history.summed_up(old[0], "short")
    asked(history, "9")
    history.interrupted("")
    assert texts(history)[0] == "[Summary of the call so far: short]"
    kept = ["3", "3!", "4", "4!", "5", "5!", "6", "6!", "7", "7!", "8", "8 [interrupted by the caller]"]
    assert texts(history)[2:] == kept


def test_a_turn_that_is_taken_back_while_a_call_is_told_in_short_takes_nothing_else() -> None:
    history = History()
    asked(history, "1", "2", "3", "4", "5", "6")
    old = history.to_sum_up()
    assert old is not None
    history.caller("7")
    history.summed_up(old[0], "short")
    history.interrupted("")
    assert texts(history)[2:] == ["3", "3!", "4", "4!", "5", "5!", "6", "6!"]
