# SPDX-License-Identifier: MIT
"""The other end of bench/net.c, on all addresses; see there. Ends with its standard input."""
import socket
import sys
import threading

ECHO, ANSWER, DATAGRAM, SINK, SOURCE = range(7001, 7006)
MUCH = 32 << 20


def echo(end):
    while data := end.recv(4096):
        end.sendall(data)


def answer(end):
    if end.recv(1000):
        end.sendall(b'a' * 600)
        end.recv(1000)


def sink(end):
    while end.recv(1 << 20):
        pass
    end.sendall(b'.')


def source(end):
    block = bytes(1 << 18)
    for _ in range(MUCH // len(block)):
        end.sendall(block)


def one(end, serve):
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        serve(end)
    except OSError:
        pass
    end.close()


def listen(port, serve):
    listener = socket.create_server(('0.0.0.0', port), backlog=128)
    while True:
        end, _ = listener.accept()
        threading.Thread(target=one, args=(end, serve), daemon=True).start()


def datagrams():
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(('0.0.0.0', DATAGRAM))
    while True:
        data, sender = end.recvfrom(65536)
        end.sendto(data, sender)


for row in ((ECHO, echo), (ANSWER, answer), (SINK, sink), (SOURCE, source)):
    threading.Thread(target=listen, args=row, daemon=True).start()
threading.Thread(target=datagrams, daemon=True).start()
sys.stdin.read()
