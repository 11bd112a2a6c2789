import pytest

from serving.ports import address, listen


def test_says_why_it_cannot_listen() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port} \(Address already in use\)"):
            listen("127.0.0.1", port)
    with pytest.raises(OSError, match=r"Received: 127\.0\.0\.1:99999 \(a port is a number from"):
        listen("127.0.0.1", 99999)
    with pytest.raises(OSError, match=r"Received: 256\.0\.0\.1:0 \(Name or service not known\)"):
        listen("256.0.0.1", 0)


def test_an_address_of_ipv6_has_brackets() -> None:
    assert address("localhost", 80) == "localhost:80"
    assert address("::1", 80) == "[::1]:80"
