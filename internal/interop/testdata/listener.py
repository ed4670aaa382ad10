"""A subscriber as Python sites run it: a socket, struct and ElementTree, nothing of Tocsin's.

It behaves as the most common Python client does (facts: accepts three Transport namespaces, logs and ignores
authenticate, acknowledges before anything else happens to the notice, writes local time stamps without a zone).
Usage: listener.py PORT COUNT; prints the IVORN and the SHA-256 of each payload, ends after COUNT notices.
"""
import datetime
import hashlib
import socket
import struct
import sys
import xml.etree.ElementTree as ET

NAMESPACES = (
    "http://telescope-networks.org/xml/Transport/v1.1",
    "http://telescope-networks.org/schema/Transport/v1.1",
    "http://www.telescope-networks.org/xml/Transport/v1.1",
)
VOEVENTS = (
    "{http://www.ivoa.net/xml/VOEvent/v1.1}VOEvent",
    "{http://www.ivoa.net/xml/VOEvent/v2.0}VOEvent",
)


def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError("the broker closed the connection")
        data += more
    return data


def message(role, origin, response):
    return (
        '<?xml version=\'1.0\' encoding=\'UTF-8\'?>'
        '<trn:Transport role="%s" version="1.0" '
        'xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://telescope-networks.org/schema/Transport/v1.1 '
        'http://telescope-networks.org/schema/Transport-v1.1.xsd">'
        "<Origin>%s</Origin><Response>%s</Response><TimeStamp>%s</TimeStamp></trn:Transport>"
        % (role, origin, response, datetime.datetime.now().isoformat())
    ).encode("UTF-8")


def send(sock, payload):
    sock.sendall(struct.pack("!I", len(payload)) + payload)


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    print("connected", flush=True)
    while count > 0:
        (size,) = struct.unpack("!I", read(sock, 4))
        payload = read(sock, size)
        root = ET.fromstring(payload)
        if root.tag in ["{%s}Transport" % ns for ns in NAMESPACES]:
            if root.attrib["role"] == "iamalive":
                send(sock, message("iamalive", root.find("Origin").text, "ivo://python/anonymous"))
            else:
                print("transport", root.attrib["role"], flush=True)
        elif root.tag in VOEVENTS:
            ivorn = root.attrib["ivorn"]
            send(sock, message("ack", ivorn, "ivo://python/anonymous"))
            print("notice", ivorn, hashlib.sha256(payload).hexdigest(), flush=True)
            count -= 1
        else:
            print("unknown", root.tag, flush=True)


main()
