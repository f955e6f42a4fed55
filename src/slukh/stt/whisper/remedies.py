"""What an operator does about a Whisper server, by the class of its error."""

from collections.abc import Mapping

from slukh.errors import ErrorType

REMEDIES: Mapping[ErrorType, str] = {
    "connect": "start the server, or correct host and port in WHISPER_API_URL",
    "timeout": "it is too slow or still loading: a smaller model, a GPU, fewer calls by SLUKH_WHISPER_CALLS, "
    "or another server beside it in WHISPER_API_URL",
    "stream": "look into the server's own log: it broke off, or its process died",
    "limit": "nothing: the next Attempt begins afresh",
    "overloaded": "wait, if it was just started and loads its model; else fewer calls (SLUKH_WHISPER_CALLS), "
    "or another server beside it in WHISPER_API_URL",
    "protocol": "something else answers there, or it speaks another protocol: doc/whisper-servers.md has the "
    "schemes of WHISPER_API_URL",
    "request": "correct the path in WHISPER_API_URL, or name a model that it has in WHISPER_MODEL_SIZE",
    "language": "give the server a model of many languages, without .en in its name, "
    "or set SLUKH_LANGUAGE to one that it speaks",
    "authentication": "set WHISPER_API_KEY to the key that the server was started with",
}
