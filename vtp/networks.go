package vtp

import (
	"net"
	"net/netip"
)

// addressOf returns the IP address of a peer, IPv4 in its own form also where the socket is an IPv6 one; invalid for Unix
// sockets and pipes, which have none.
func addressOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip, _ := netip.AddrFromSlice(t.IP)
	return ip.Unmap().WithZone("")
}

// normalNetworks writes networks of IPv4 addresses mapped into IPv6 as IPv4 networks, as addressOf does with addresses.
func normalNetworks(list []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, p := range list {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out
}

// allowed says whether a peer may connect. Peers without an IP address are not judged here.
func allowed(list []netip.Prefix, ip netip.Addr) bool {
	if len(list) == 0 || !ip.IsValid() {
		return true
	}
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
