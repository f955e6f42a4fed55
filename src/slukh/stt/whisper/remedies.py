"""What an operator does about a Whisper server, by the class of its error."""

from collections.abc import Mapping

from slukh.errors import ErrorType

REMEDIES: Mapping[ErrorType, str] = {
    "connect": "start the server, or correct host, port and http or https in WHISPER_API_URL; "
    "for a certificate of your own, name its CA in SSL_CERT_FILE",
    "timeout": "it is too slow or still loading: a smaller model, a GPU, fewer calls by SLUKH_WHISPER_CALLS, "
    "or another server beside it in WHISPER_API_URL",
    "stream": "look into the server's own log: it broke off, its process died, or it wants https",
    "limit": "nothing: the next Attempt begins afresh",
    "overloaded": "wait, if it was just started and loads its model; else fewer calls (SLUKH_WHISPER_CALLS), "
    "or another server beside it in WHISPER_API_URL",
    "protocol": "something else answers there, or it speaks another protocol: doc/whisper-servers.md has the "
    "schemes of WHISPER_API_URL; where another language came back, give it a model of many languages",
    "request": "correct the path in WHISPER_API_URL, or name a model that it has in WHISPER_MODEL_SIZE",
    "language": "a model that speaks it, or another SLUKH_LANGUAGE",
    "authentication": "set WHISPER_API_KEY to the key that the server was started with",
}
