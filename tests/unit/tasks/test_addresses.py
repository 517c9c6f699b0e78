"""What counts as the public internet, and what the allow-list opens."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import ConfigurationError
from scheduler.tasks.addresses import AllowList, is_public

NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.8.8.8 168.63.129.16 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1
240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
100::1 2001::1 2001:0:7f00:1:: 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254
fe80::1 fec0::1 ff02::1
"""

PUBLIC = (
    "1.1.1.1 8.8.8.8 93.184.216.34 172.32.0.1 2606:4700:4700::1111 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808"
)


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_what_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC.split())
def test_what_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_by_itself(inner: IPv4Address) -> None:
    number = int(inner)
    mapped = IPv6Address((0xFFFF << 32) | number)
    nat64 = IPv6Address((0x64_FF9B << 96) | number)
    six_to_four = IPv6Address((0x2002 << 112) | (number << 80) | 1)
    assert {is_public(each) for each in (mapped, nat64, six_to_four)} == {is_public(inner)}


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "allowed"),
    [
        ("internal.example", "internal.example", "10.0.0.1", 80, True),
        ("Internal.Example.", "INTERNAL.example", "10.0.0.1", 8080, True),
        ("internal.example", "evil.example", "10.0.0.1", 80, False),
        ("internal.example", "sub.internal.example", "10.0.0.1", 80, False),
        ("internal.example:8080", "internal.example", "10.0.0.1", 8080, True),
        ("internal.example:8080", "internal.example", "10.0.0.1", 80, False),
        ("internal.example", "", "10.0.0.1", 80, False),
        ("bücher.example", "xn--bcher-kva.example", "10.0.0.1", 80, True),
        ("10.0.0.0/8", "any.example", "10.9.9.9", 1, True),
        ("10.0.0.0/8", "any.example", "11.0.0.1", 1, False),
        ("10.0.0.0/8", "any.example", "::ffff:10.0.0.1", 1, True),
        ("fd00::/8", "any.example", "fd00::1", 1, True),
        ("fd00::/8", "any.example", "10.0.0.1", 1, False),
        ("127.0.0.1", "localhost", "127.0.0.1", 5, True),
        ("127.0.0.1:5", "127.0.0.1", "127.0.0.1", 6, False),
        ("::1", "::1", "::1", 5, True),
        ("[::1]:5", "::1", "::1", 5, True),
        ("[::1]:5", "::1", "::1", 6, False),
    ],
)
def test_an_entry_opens_what_it_names_and_no_more(
    entry: str, host: str, address: str, port: int, allowed: bool
) -> None:
    assert AllowList([entry]).allows(host, ip_address(address), port) is allowed


@pytest.mark.parametrize(
    "entry", ["*.example.com", "http://a.example", "10.0.0.1/8", "a.example:0", "a:99999", "a b", "a:x"]
)
def test_a_malformed_entry_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AllowList([entry])
    assert "API_TASK_ALLOW" in str(caught.value)
    assert repr(entry) in str(caught.value)
