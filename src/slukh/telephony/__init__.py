"""Media transports as sans-IO codecs, and the duplex line they make."""
