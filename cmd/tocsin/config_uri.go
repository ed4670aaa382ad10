package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseListen takes a listener's URI apart and refuses what would open an unprotected port to the world by accident.
func parseListen(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return address{}, fmt.Errorf("%q is not a URI: %w", raw, errors.Unwrap(err))
	}
	scheme, option, _ := strings.Cut(u.Scheme, "+")
	a := address{network: "tcp", query: u.Query()}
	switch scheme {
	case "vtp-author", "vtps-author":
		a.kind, a.tls = kindAuthor, scheme == "vtps-author"
	case "vtp-feed", "vtps-feed":
		a.kind, a.tls = kindFeed, scheme == "vtps-feed"
	case "http", "https":
		a.kind, a.tls = kindHTTP, scheme == "https"
	case "vtp", "vtps":
		return address{}, fmt.Errorf("%q: say which side: %s-author:// takes notices from authors, %s-feed:// sends them to subscribers", raw, scheme, scheme)
	default:
		return address{}, fmt.Errorf("%q: unknown scheme %q; known: vtp-author, vtp-feed, http, with TLS vtps-author, vtps-feed, https", raw, u.Scheme)
	}
	switch option {
	case "":
	case "insecure":
		if a.tls {
			return address{}, fmt.Errorf("%q: TLS and +insecure exclude each other", raw)
		}
		a.insecure = true
	case "unix":
		return unixAddress(a, raw, u)
	default:
		return address{}, fmt.Errorf("%q: unknown option +%s; known: +insecure, +unix", raw, option)
	}
	if u.Path != "" && u.Path != "/" {
		return address{}, fmt.Errorf("%q: a path has no meaning here", raw)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return address{}, fmt.Errorf("%q: needs HOST:PORT, such as 127.0.0.1:%s", raw, usualPort(a.kind))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return address{}, fmt.Errorf("%q: %q is not a port between 0 and 65535", raw, port)
	}
	a.host = net.JoinHostPort(host, port)
	if !a.tls && !a.insecure && !loopback(host) {
		return address{}, fmt.Errorf("%q: listens beyond this machine without TLS. Use %s with a certificate, or say that you mean it: %s", raw,
			strings.Replace(scheme, scheme, tlsScheme(a.kind), 1)+"://", scheme+"+insecure://"+u.Host)
	}
	return a, nil
}

func unixAddress(a address, raw string, u *url.URL) (address, error) {
	path := u.Path
	if u.Host != "" {
		return address{}, fmt.Errorf("%q: needs three slashes before the path: +unix:///run/tocsin/author.sock", raw)
	}
	if path == "" {
		return address{}, fmt.Errorf("%q: needs the path of the socket", raw)
	}
	a.network, a.host = "unix", path
	return a, nil
}

func usualPort(k listenKind) string {
	return map[listenKind]string{kindAuthor: "8098", kindFeed: "8099", kindHTTP: "8080"}[k]
}

func tlsScheme(k listenKind) string {
	return map[listenKind]string{kindAuthor: "vtps-author", kindFeed: "vtps-feed", kindHTTP: "https"}[k]
}

// loopback says whether only this machine can reach the host. Names are not looked up: of all names only localhost is
// known to be loopback.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// parseNetworks reads networks and single addresses.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		if ip, err := netip.ParseAddr(s); err == nil {
			ip = ip.Unmap()
			out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither a network such as 10.1.0.0/16 nor an address", s)
		}
		if p.Masked() != p {
			return nil, fmt.Errorf("%q has bits beyond its length: do you mean %s?", s, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}

// parseRemote takes the URI of a remote VTP port apart: vtp:// or vtps://, host and port (the usual one when left
// out), or vtp+unix:///path. A bare HOST:PORT is taken for vtp://.
func parseRemote(raw, port string) (network, host string, secure bool, err error) {
	s := raw
	if !strings.Contains(s, "://") {
		s = "vtp://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", "", false, fmt.Errorf("%q is not a URI: %w", raw, errors.Unwrap(err))
	}
	switch u.Scheme {
	case "vtp+unix":
		if u.Path == "" || u.Host != "" {
			return "", "", false, fmt.Errorf("%q: needs the path of a socket: vtp+unix:///path", raw)
		}
		return "unix", u.Path, false, nil
	case "vtp", "vtps":
	default:
		return "", "", false, fmt.Errorf("%q: unknown scheme %q; known: vtp://HOST:PORT, vtps://HOST:PORT, vtp+unix:///path", raw, u.Scheme)
	}
	if u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return "", "", false, fmt.Errorf("%q: want %s://HOST:PORT", raw, u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return "tcp", net.JoinHostPort(u.Hostname(), port), u.Scheme == "vtps", nil
}
