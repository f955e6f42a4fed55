"""How an error reads."""

from slukh.errors import ServiceError


def test_a_problem_and_its_remedy_are_one_line() -> None:
    assert (
        str(ServiceError("the port is taken", remedy="choose another")) == "the port is taken: choose another"
    )


def test_what_to_do_after_a_question_is_a_sentence_of_its_own() -> None:
    error = ServiceError("cannot connect: is the server running?", remedy="start it, or correct the port")
    assert str(error) == "cannot connect: is the server running? Start it, or correct the port"
