"""A device that sends what it measures, a datagram for each reading: device.py ADDRESS:PORT COUNT"""

import socket
import sys

host, port = sys.argv[1].rsplit(":", 1)
device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[2])):
    celsius = 20 + number % 7 / 2
    device.sendto(f"sensor=hall number={number} celsius={celsius}".encode(), (host, int(port)))
