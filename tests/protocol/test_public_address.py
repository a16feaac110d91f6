"""Which addresses an outbound fetch may reach: only those a public host can have."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol.public_address import is_loopback_address, is_public


@pytest.mark.requirement("AS-62")
@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1",
        "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1",
        "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::",
        "2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1",
        "2002:a9fe:a9fe::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
        "", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "8.8.8.8 ",
        "127.0.0.1/8", "[::1]", "８.8.8.8",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.requirement("AS-62")
@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.0.0.1", "128.0.0.1", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.1.1",
        "198.17.255.255", "198.20.0.0", "203.0.114.1", "223.255.255.255", "2606:4700::1111",
        "2a00:1450:4001::200e", "2001:4860:4860::8888", "2003::1", "2620:4f:8001::1",
    ],
)  # fmt: skip
def test_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=6))
def test_nothing_outside_global_unicast_is_public(address: IPv6Address) -> None:
    if is_public(str(address)):
        assert address in ip_network("2000::/3")


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback_address(address) is loopback
