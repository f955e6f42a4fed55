import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.sealing import KEY_BYTES, AlteredError, Seal

SEAL = Seal(bytes(range(KEY_BYTES)))


@given(value=st.binary(max_size=200), call_id=st.text(max_size=40), utterance_id=st.integers())
def test_what_is_sealed_is_opened_for_its_owner(value: bytes, call_id: str, utterance_id: int) -> None:
    sealed = SEAL.sealed(value, call_id, utterance_id)
    assert SEAL.opened(sealed, call_id, utterance_id) == value


@given(value=st.binary(max_size=50), at=st.integers(0, 77), bit=st.integers(0, 7))
def test_one_altered_bit_anywhere_does_not_open(value: bytes, at: int, bit: int) -> None:
    sealed = bytearray(SEAL.sealed(value, "c", 1))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(AlteredError):
        SEAL.opened(bytes(sealed), "c", 1)


@pytest.mark.parametrize("owner", [("c", 2), ("d", 1), ("c", "1"), ("c",), ("c1",)])
def test_what_is_another_s_does_not_open(owner: tuple[object, ...]) -> None:
    sealed = SEAL.sealed("так".encode(), "c", 1)
    with pytest.raises(AlteredError):
        SEAL.opened(sealed, *owner)


def test_another_key_does_not_open_and_has_another_name() -> None:
    other = Seal(bytes(KEY_BYTES))
    assert other.key_id != SEAL.key_id
    with pytest.raises(AlteredError):
        other.opened(SEAL.sealed(b"x", "c", 1), "c", 1)


@pytest.mark.parametrize("cut", [b"", b"\x01", b"\x02" * 60])
def test_what_was_never_sealed_does_not_open(cut: bytes) -> None:
    with pytest.raises(AlteredError):
        SEAL.opened(cut, "c", 1)


def test_the_same_is_never_sealed_alike() -> None:
    assert SEAL.sealed(b"x", "c", 1) != SEAL.sealed(b"x", "c", 1)
