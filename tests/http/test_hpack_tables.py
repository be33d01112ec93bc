"""The tables of HPACK are those of RFC 7541, as another implementation has them."""

from __future__ import annotations

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

from lb.http import hpack_tables
from lb.http.hpack_tables import (
    CODES,
    EMITS,
    ENDS,
    EOS,
    FAILS,
    HUFFMAN_MARKS,
    HUFFMAN_NEXT,
    HUFFMAN_SYMBOLS,
    NAMES,
    SECRET,
    STATIC,
    WRONG,
)


def test_the_static_table_is_that_of_the_rfc() -> None:
    assert tuple(HeaderTable.STATIC_TABLE) == STATIC
    assert len(STATIC) == 61


def test_the_code_is_that_of_the_rfc() -> None:
    assert list(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)) == CODES
    assert EOS == 256
    assert CODES[EOS] == (0x3FFFFFFF, 30)


def _run(bits: str) -> tuple[bytes, int]:
    """What the machine makes of these bits, a multiple of four, and the last marks."""
    state, mark, found = 0, ENDS, bytearray()
    for at in range(0, len(bits), 4):
        step = state * 16 + int(bits[at : at + 4], 2)
        state, mark = HUFFMAN_NEXT[step], HUFFMAN_MARKS[step]
        if mark & FAILS:
            break
        if mark & EMITS:
            found.append(HUFFMAN_SYMBOLS[step])
    return bytes(found), mark


def test_the_machine_decodes_every_symbol_with_its_padding() -> None:
    for symbol, (code, length) in enumerate(CODES[:EOS]):
        bits = f"{code:0{length}b}"
        text, mark = _run(bits + "1" * (-length % 8))
        assert (text, mark & ENDS) == (bytes((symbol,)), ENDS)


def test_the_machine_refuses_eos_and_wrong_padding() -> None:
    assert _run("1" * 32)[1] & FAILS
    for bits in ("0" * 5 + "1" * 11, "0" * 8):  # padding of more than seven bits, or of zeros
        text, mark = _run(bits)
        assert (text, mark & ENDS) == (b"0", 0)


def test_the_machine_has_a_state_for_each_node_of_the_code() -> None:
    assert len(HUFFMAN_NEXT) == len(HUFFMAN_MARKS) == len(HUFFMAN_SYMBOLS) == 256 * 16
    assert max(HUFFMAN_NEXT) == 255


def test_every_kind_of_error_has_a_number_and_a_sentence() -> None:
    assert WRONG[hpack_tables.FINE] == ""
    assert len(WRONG) == hpack_tables.DISCARDED + 1
    assert all(WRONG[1:-1])
    assert len(set(WRONG[1:-1])) == len(WRONG) - 2


def test_names_that_mean_something_are_lower_case() -> None:
    assert all(name == name.lower() for name in (*NAMES, *SECRET))
