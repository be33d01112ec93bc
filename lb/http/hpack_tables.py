"""The tables of HPACK (RFC 7541): static entries, the Huffman code and a machine that decodes it, and what names mean.

Both engines' decoders and encoders read them. The Huffman code is canonical, so the lengths of its codes are all there
is to know: codes of one length are consecutive, in the order of their symbols. This file knows neither blocks nor
messages.
"""

from __future__ import annotations

STATIC: tuple[tuple[bytes, bytes], ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
"""Appendix A; its first index is 1."""

TABLE_SIZE = 4096
"""The size of the dynamic table that a peer may use, as every decoder begins with (RFC 9113 6.5.2)."""

OVERHEAD = 32
"""What an entry, or a field of a list, counts beyond its bytes (RFC 7541 4.1, RFC 9113 6.5.2)."""

# What a name means to a decoder.
(
    PLAIN,
    METHOD,
    SCHEME,
    AUTHORITY,
    PATH,
    PROTOCOL,
    STATUS,
    HOST,
    COOKIE,
    TE,
    LENGTH,
    PRIORITY,
    UNKNOWN,
    HOP,
    BAD,
) = range(15)

NAMES: dict[bytes, int] = {
    b":method": METHOD,
    b":scheme": SCHEME,
    b":authority": AUTHORITY,
    b":path": PATH,
    b":protocol": PROTOCOL,
    b":status": STATUS,
    b"host": HOST,
    b"cookie": COOKIE,
    b"te": TE,
    b"content-length": LENGTH,
    b"priority": PRIORITY,
    b"connection": HOP,
    b"keep-alive": HOP,
    b"proxy-connection": HOP,
    b"transfer-encoding": HOP,
    b"upgrade": HOP,
}
"""The names that mean something; BAD are those that may not be (RFC 9113 8.2.1), UNKNOWN other pseudo-fields."""

SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"))
"""Names whose values no table of a peer or an intermediary may keep (RFC 7541 7.1.3)."""

# What is wrong with a message, by number, so that both engines find the same thing first.
(
    FINE,
    NAME,
    VALUE,
    BLANK,
    HOP_BY_HOP,
    LATE,
    TWICE,
    UNKNOWN_PSEUDO,
    NO_METHOD,
    NO_SCHEME,
    NO_PATH,
    NOT_A_METHOD,
    NOT_A_PATH,
    TE_OTHER,
    HOSTS,
    OTHER_HOST,
    CONNECT_PARTS,
    PROTOCOL_PARTS,
    IN_TRAILERS,
    NO_STATUS,
    DISCARDED,
) = range(21)

WRONG = (
    "",
    "a field name is not a lower-case token",
    "a field value has a control character",
    "a field value begins or ends with a blank",
    "a field belongs to one connection of HTTP/1",
    "a pseudo-field follows a field",
    "a pseudo-field is given twice",
    "a pseudo-field is not one of this message",
    ":method is missing",
    ":scheme is missing",
    ":path is missing",
    "the method is not a token",
    ":path does not begin with a slash",
    "TE is not trailers",
    "Host is given twice",
    ":authority and Host name different authorities",
    "a CONNECT request has :scheme or :path, or no :authority",
    ":protocol is given without all that it needs",
    "the trailer section has a pseudo-field",
    ":status is not a status code",
    "",
)
"""The sentences for these numbers."""

# Appendix B: for each symbol the length of its code in bits, as a letter from "a" for 5. The last symbol is EOS.
_LENGTHS = (
    "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkaba"
    "babbbaccbbbabcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsru"
    "vvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwvz"
)
_SHORTEST = 5


def _codes() -> list[tuple[int, int]]:
    """The code of each symbol, and its length in bits."""
    lengths = [ord(letter) - ord("a") + _SHORTEST for letter in _LENGTHS]
    codes = [(0, 0)] * len(lengths)
    code = before = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - before
        codes[symbol] = (code, length)
        code += 1
        before = length
    return codes


CODES = _codes()
EOS = len(CODES) - 1

# The machine that decodes reads four bits at a time. A state is a node of the code's tree, by number, 0 its root.
EMITS, FAILS, ENDS = 1, 2, 4
"""Marks of a step: a symbol is complete; the bits are no code (EOS, RFC 7541 5.2); the string may end here, since what
is left of the last code is less than eight bits long and has only ones."""


def _tree() -> list[list[int]]:
    """For each node where a bit leads: to another node, or to the symbol -1 - x."""
    nodes = [[0, 0]]
    for symbol, (code, length) in enumerate(CODES):
        at = 0
        for place in range(length - 1, 0, -1):
            bit = code >> place & 1
            if not nodes[at][bit]:
                nodes.append([0, 0])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][code & 1] = -1 - symbol
    return nodes


def _machine() -> tuple[bytes, bytes, bytes]:
    nodes = _tree()
    ends = {0}
    at = 0
    for _ in range(7):
        at = nodes[at][1]
        ends.add(at)
    following, marks, symbols = bytearray(), bytearray(), bytearray()
    for start in range(len(nodes)):
        for nibble in range(16):
            at, mark, symbol = start, 0, 0
            for place in (3, 2, 1, 0):
                at = nodes[at][nibble >> place & 1]
                if at < 0:
                    symbol = -1 - at
                    mark |= FAILS if symbol == EOS else EMITS
                    at = 0
            if mark & FAILS:
                symbol = 0
            if at in ends:
                mark |= ENDS
            following.append(at)
            marks.append(mark)
            symbols.append(symbol)
    return bytes(following), bytes(marks), bytes(symbols)


HUFFMAN_NEXT, HUFFMAN_MARKS, HUFFMAN_SYMBOLS = _machine()
"""What four bits do in a state, at state * 16 + bits: the next state, the marks, the symbol."""
