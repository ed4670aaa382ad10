"""An author as Python sites run it: one connection per notice, waits for the answer, then closes.

Usage: author.py PORT FILE...; prints the role of each answer.
"""
import socket
import struct
import sys
import xml.etree.ElementTree as ET

for name in sys.argv[2:]:
    with open(name, "rb") as f:
        payload = f.read()
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
    sock.sendall(struct.pack("!I", len(payload)) + payload)
    stream = sock.makefile("rb")
    (size,) = struct.unpack("!I", stream.read(4))
    print(ET.fromstring(stream.read(size)).attrib["role"], flush=True)
    sock.close()
